#include "drivers/uv/own_thread.h"

#include <uv.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "firmware/base/check.h"

namespace sluice::drivers {

struct UvOwnThread::Shared {
  struct Order {
    Callback job;
    Callback done;
  };

  std::mutex mutex;  // of everything below
  std::condition_variable changed;
  std::deque<Order> waiting;
  std::vector<Callback> finished;
  bool is_busy = false;
  bool is_over = false;
  uv_async_t* wake = nullptr;  // the loop's; null once the owner has gone

  std::thread thread;  // the owner's alone

  static void work(const std::shared_ptr<Shared>& shared);
  static void on_wake(uv_async_t* handle) noexcept;
};

void UvOwnThread::Shared::work(const std::shared_ptr<Shared>& shared) {
  std::unique_lock lock(shared->mutex);
  while (true) {
    shared->changed.wait(lock, [&] { return shared->is_over || !shared->waiting.empty(); });
    if (shared->is_over) return;
    Order order = std::move(shared->waiting.front());
    shared->waiting.pop_front();
    shared->is_busy = true;
    lock.unlock();
    order.job();
    order.job = nullptr;  // what it holds ends before the owner stops waiting
    lock.lock();
    shared->is_busy = false;
    if (shared->wake != nullptr) {
      shared->finished.push_back(std::move(order.done));
      uv_async_send(shared->wake);
    }
    shared->changed.notify_all();
  }
}

void UvOwnThread::Shared::on_wake(uv_async_t* handle) noexcept {
  const std::shared_ptr<Shared> shared = *static_cast<std::shared_ptr<Shared>*>(handle->data);
  std::vector<Callback> finished;
  {
    const std::lock_guard lock(shared->mutex);
    finished.swap(shared->finished);
  }
  for (const Callback& done : finished) {
    if (!shared->is_over) done();  // only the loop's thread ends it
  }
}

UvOwnThread::UvOwnThread(UvLoop& loop, Duration patience) : loop_(loop), patience_(patience) {}

UvOwnThread::~UvOwnThread() {
  if (!shared_) return;
  uv_async_t* wake = nullptr;
  bool ends = false;
  std::deque<Shared::Order> dropped;  // after the lock: what they hold may take time to end
  {
    std::unique_lock lock(shared_->mutex);
    wake = std::exchange(shared_->wake, nullptr);
    shared_->is_over = true;
    shared_->waiting.swap(dropped);
    shared_->changed.notify_all();
    ends = shared_->changed.wait_for(lock, std::chrono::microseconds(patience_.as_us()),
                                     [this] { return !shared_->is_busy; });
  }
  if (ends) {
    shared_->thread.join();  // at once: it has nothing to do but end
  } else {
    shared_->thread.detach();
  }
  uv_close(reinterpret_cast<uv_handle_t*>(wake), [](uv_handle_t* handle) {
    delete static_cast<std::shared_ptr<Shared>*>(handle->data);
    delete reinterpret_cast<uv_async_t*>(handle);
  });
}

void UvOwnThread::run(Callback job, Callback done) {
  if (!shared_) {
    shared_ = std::make_shared<Shared>();
    auto* wake = new uv_async_t;
    ENSURE(uv_async_init(loop_.raw(), wake, Shared::on_wake) == 0);
    wake->data = new std::shared_ptr<Shared>(shared_);
    shared_->wake = wake;
    shared_->thread = std::thread([shared = shared_] { Shared::work(shared); });
  }
  const std::lock_guard lock(shared_->mutex);
  shared_->waiting.push_back({std::move(job), std::move(done)});
  shared_->changed.notify_all();
}

}  // namespace sluice::drivers
