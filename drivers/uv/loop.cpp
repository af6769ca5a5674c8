#include "drivers/uv/loop.h"

#include <uv.h>

#include <csignal>
#include <utility>

#include "firmware/base/check.h"

namespace sluice::drivers {

namespace {

constexpr size_t kBufferSize = 1024;  // to begin with

}  // namespace

struct UvLoop::Handles {
  uv_loop_t loop;
  uv_prepare_t prepare;
  uv_check_t check;

  static void on_prepare(uv_prepare_t* handle) noexcept {
    static_cast<UvLoop*>(handle->data)->before_poll();
  }
  static void on_check(uv_check_t* handle) noexcept {
    static_cast<UvLoop*>(handle->data)->after_poll();
  }
};

UvLoop::UvLoop() : handles_(std::make_unique<Handles>()) {
  std::signal(SIGPIPE, SIG_IGN);
  ENSURE(uv_loop_init(&handles_->loop) == 0);
  ENSURE(uv_prepare_init(&handles_->loop, &handles_->prepare) == 0);
  ENSURE(uv_check_init(&handles_->loop, &handles_->check) == 0);
  handles_->prepare.data = this;
  handles_->check.data = this;
  ENSURE(uv_prepare_start(&handles_->prepare, Handles::on_prepare) == 0);
  ENSURE(uv_check_start(&handles_->check, Handles::on_check) == 0);
}

UvLoop::~UvLoop() {
  ENSURE(turns_ == nullptr);
  uv_close(reinterpret_cast<uv_handle_t*>(&handles_->prepare), nullptr);
  uv_close(reinterpret_cast<uv_handle_t*>(&handles_->check), nullptr);
  size_t left_open = 0;
  uv_walk(
      &handles_->loop,
      [](uv_handle_t* handle, void* count) {
        if (uv_is_closing(handle) == 0) ++*static_cast<size_t*>(count);
      },
      &left_open);
  ENSURE(left_open == 0);
  // A stop() that run() has not seen would end this run at once, before the close callbacks.
  while (uv_run(&handles_->loop, UV_RUN_DEFAULT) != 0) {
  }
  ENSURE(uv_loop_close(&handles_->loop) == 0);
}

void UvLoop::run() { uv_run(&handles_->loop, UV_RUN_DEFAULT); }

void UvLoop::stop() { uv_stop(&handles_->loop); }

void UvLoop::watch_turns(TurnSink* sink) {
  ENSURE(sink == nullptr || turns_ == nullptr);
  turns_ = sink;
}

uv_loop_t* UvLoop::raw() { return &handles_->loop; }

void UvLoop::gather(Gatherer& gatherer) {
  gatherers_.push_back(&gatherer);
  if (gatherers_.size() >= kGatherersMax) send_gathered();
}

void UvLoop::forget(Gatherer& gatherer) { std::erase(gatherers_, &gatherer); }

// None of them calls anybody from here.
void UvLoop::send_gathered() {
  sending_.swap(gatherers_);
  for (Gatherer* gatherer : sending_) gatherer->send_gathered();
  sending_.clear();
}

std::string UvLoop::take_buffer() {
  std::string buffer;
  if (spare_buffers_.empty()) {
    buffer.reserve(kBufferSize);
  } else {
    buffer = std::move(spare_buffers_.back());
    spare_buffers_.pop_back();
  }
  return buffer;
}

void UvLoop::give_back(std::string buffer) {
  if (spare_buffers_.size() >= kSpareBuffersMax) return;
  buffer.clear();
  spare_buffers_.push_back(std::move(buffer));
}

// What was written by a callback that follows the last check of a turn: of a close, or before
// run().
void UvLoop::before_poll() {
  send_gathered();
  if (turns_ != nullptr) turns_->on_before_poll();
  ++turn_;
}

void UvLoop::after_poll() {
  ++turn_;
  send_gathered();  // a timer that closes must know what the kernel has not taken
  if (turns_ != nullptr) turns_->on_after_poll();
  send_gathered();
}

}  // namespace sluice::drivers
