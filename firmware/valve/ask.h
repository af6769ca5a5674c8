// What the valve knows of one request: values only, no text of the prompt.
#pragma once

#include <bit>
#include <cstdint>
#include <string>

#include "firmware/base/time.h"
#include "firmware/base/units.h"

namespace sluice::valve {

inline constexpr int kNodesMax = 64;

// A node's place in the list of nodes; stable while the program runs with one set of settings.
struct NodeId {
  uint8_t index = 0;
  auto operator<=>(const NodeId&) const = default;
};

class NodeSet {
 public:
  constexpr NodeSet() = default;
  static constexpr NodeSet from_bits(uint64_t bits) { return NodeSet(bits); }
  constexpr uint64_t bits() const { return bits_; }
  constexpr bool has(NodeId node) const { return (bits_ >> node.index & 1) != 0; }
  constexpr void add(NodeId node) { bits_ |= uint64_t{1} << node.index; }
  constexpr void remove(NodeId node) { bits_ &= ~(uint64_t{1} << node.index); }
  constexpr bool is_empty() const { return bits_ == 0; }
  constexpr int size() const { return std::popcount(bits_); }
  auto operator<=>(const NodeSet&) const = default;

 private:
  explicit constexpr NodeSet(uint64_t bits) : bits_(bits) {}
  uint64_t bits_ = 0;
};

enum class Priority { low, normal, high };

// What a request was promised, by its key or class: the greatest acceptable delay.
struct ServiceLevel {
  Duration ttft_max = Duration::ms(2000);
  Duration tpot_max = Duration::ms(100);
  auto operator<=>(const ServiceLevel&) const = default;
};

struct Ask {
  uint64_t id = 0;
  std::string key;    // the key's id, never the secret
  std::string model;  // as the client named it
  Tokens prompt_tokens;
  Tokens output_tokens_max;  // zero = not said
  bool stream = false;
  Priority priority = Priority::normal;
  ServiceLevel level;
  Instant arrived;
  Instant deadline;         // no first byte after it
  NodeSet may_use;          // serves the model, allowed to the key, allowed for the data
  bool stays_home = false;  // the data class forbids every cloud node
  bool operator==(const Ask&) const = default;
};

}  // namespace sluice::valve
