// The body of one request as the client sends it: in memory while it is small, then in a scratch
// file. It is kept until nobody holds it any more: the exchange (until the first byte of an answer
// has gone to the client) and the call that still sends it.
// Order: append() while it arrives; whoever got it as an HttpBody then only reads.
// Lifetime: `room` and `files` outlive it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "firmware/ports/http_body.h"
#include "firmware/ports/scratch.h"
#include "firmware/proxy/api_error.h"
#include "firmware/proxy/body_room.h"

namespace sluice::proxy {

class KeptBody final : public ports::HttpBody {
 public:
  // A body may come in chunks of a byte: they go to the file together. Not counted in the room.
  static constexpr size_t kGatherMax = 16 * 1024;

  enum class Refusal {
    body_too_large,  // larger than one body may be
    key_is_full,     // the key has as many bytes under way as it may
    box_is_full,     // and the box; also: the disk is full
    disk_failed,
  };

  KeptBody(BodyRoom& room, ports::ScratchFiles& files, std::string key);
  ~KeptBody() override;
  KeptBody(const KeptBody&) = delete;
  KeptBody& operator=(const KeptBody&) = delete;

  void expect(uint64_t size);  // what the head says; saves copies
  // Nothing: kept. After a refusal the body is of no use.
  std::optional<Refusal> append(std::string_view bytes);
  bool is_in_memory() const { return file_ == nullptr; }

  uint64_t size() const override { return size_; }
  Result<std::string_view> at(uint64_t offset, std::string& buffer) const override;

 private:
  std::optional<Refusal> move_to_file();
  std::optional<Refusal> append_to_file(std::string_view bytes);

  BodyRoom& room_;
  ports::ScratchFiles& files_;
  const std::string key_;
  uint64_t size_ = 0;  // counted in the room
  std::string text_;   // counted in the room's memory; empty once there is a file
  std::unique_ptr<ports::ScratchFile> file_;
  std::string gathered_;  // the body's end, not yet in the file
};

// What the client is told.
ApiError body_error(KeptBody::Refusal refusal, const BodyBounds& bounds);

}  // namespace sluice::proxy
