// A byte stream whose other end is the test: what was written, and a kernel that takes only so
// much. The wire outlives the stream, so that a test sees how it ended.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>

#include "firmware/base/check.h"
#include "firmware/ports/streams.h"

namespace sluice::script {

struct Wire {
  std::string written;                // the kernel took it
  std::string pending;                // and this not yet
  size_t window = std::string::npos;  // what the kernel still takes
  bool fin = false;                   // asked for, sent when nothing is pending
  bool reset = false;
  bool closed = false;  // the stream was destroyed
  bool paused = false;
  ports::ByteSink* sink = nullptr;

  void take(std::string_view bytes) {
    const size_t count = std::min(window, bytes.size());
    written.append(bytes.substr(0, count));
    pending.append(bytes.substr(count));
    if (window != std::string::npos) window -= count;
  }
  // The kernel takes all that is pending, as after the client has read on.
  void drain() {
    if (closed || reset || pending.empty()) return;
    written += pending;
    pending.clear();
    sink->on_drained();
  }
  bool saw_fin() const { return fin && pending.empty() && !reset; }
};

class FakeStream : public ports::ByteStream {
 public:
  explicit FakeStream(std::shared_ptr<Wire> wire, std::string host = "192.0.2.7")
      : wire_(std::move(wire)) {
    peer_.host = std::move(host);
    peer_.port = 4711;
  }
  ~FakeStream() override { wire_->closed = true; }
  void start(ports::ByteSink& sink) override { wire_->sink = &sink; }
  void write(std::string_view bytes) override {
    ENSURE(!wire_->fin && !wire_->reset && wire_->sink != nullptr);
    wire_->take(bytes);
  }
  size_t pending_bytes() const override { return wire_->pending.size(); }
  void pause_reading() override { wire_->paused = true; }
  void resume_reading() override { wire_->paused = false; }
  void end_writing() override { wire_->fin = true; }
  void reset() override {
    wire_->reset = true;
    wire_->pending.clear();
  }
  const ports::Address& peer() const override { return peer_; }

 private:
  std::shared_ptr<Wire> wire_;
  ports::Address peer_;
};

}  // namespace sluice::script
