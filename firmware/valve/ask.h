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

// What a key's owner wants of the choice among nodes; the weights are in score.h.
enum class Goal { cost, balanced, fast, green, home_first };
inline constexpr Goal kGoalLast = Goal::home_first;

// What a request needs that not every node can do.
enum class Feature { tools, vision, audio, structured_output };
inline constexpr int kFeatureCount = 4;

class FeatureSet {
 public:
  constexpr FeatureSet() = default;
  static constexpr FeatureSet all() { return FeatureSet((1u << kFeatureCount) - 1); }
  static constexpr FeatureSet from_bits(unsigned bits) { return FeatureSet(bits & all().bits_); }
  constexpr unsigned bits() const { return bits_; }
  constexpr bool has(Feature one) const { return (bits_ >> static_cast<int>(one) & 1) != 0; }
  constexpr void add(Feature one) { bits_ |= 1u << static_cast<int>(one); }
  constexpr bool covers(FeatureSet needs) const { return (needs.bits_ & ~bits_) == 0; }
  constexpr bool is_empty() const { return bits_ == 0; }
  bool operator==(const FeatureSet&) const = default;

 private:
  explicit constexpr FeatureSet(unsigned bits) : bits_(bits) {}
  unsigned bits_ = 0;
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
  Goal goal = Goal::balanced;
  FeatureSet needs;
  Tokens context;            // prompt and answer, estimated; zero = its length is not checked
  bool over_budget = false;  // its key may use no node that costs money
  uint64_t beginning = 0;    // a hash of how its prompt begins; 0 = not known
  bool operator==(const Ask&) const = default;
};

}  // namespace sluice::valve
