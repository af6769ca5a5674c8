#include "drivers/uv/work.h"

#include <uv.h>

#include <condition_variable>
#include <mutex>
#include <utility>

#include "firmware/base/check.h"

namespace sluice::drivers {

struct UvWork::Tally {
  std::mutex mutex;
  std::condition_variable changed;
  size_t unfinished = 0;       // under the mutex
  bool owner_is_alive = true;  // loop thread only
};

struct UvWork::Order {
  uv_work_t request;
  Callback job;
  Callback done;
  std::shared_ptr<Tally> tally;

  static void on_worker(uv_work_t* request) noexcept {
    Order& order = *static_cast<Order*>(request->data);
    order.job();
    order.job = nullptr;  // what it holds ends before the owner stops waiting
    const std::lock_guard lock(order.tally->mutex);
    --order.tally->unfinished;
    order.tally->changed.notify_all();
  }
  static void on_loop(uv_work_t* request, int /*status*/) noexcept {
    const std::unique_ptr<Order> order(static_cast<Order*>(request->data));
    if (order->tally->owner_is_alive) order->done();
  }
};

UvWork::UvWork(UvLoop& loop) : loop_(loop), tally_(std::make_shared<Tally>()) {}

UvWork::~UvWork() {
  tally_->owner_is_alive = false;
  std::unique_lock lock(tally_->mutex);
  tally_->changed.wait(lock, [this] { return tally_->unfinished == 0; });
}

void UvWork::run(Callback job, Callback done) {
  auto order = std::make_unique<Order>();
  order->request.data = order.get();
  order->job = std::move(job);
  order->done = std::move(done);
  order->tally = tally_;
  {
    const std::lock_guard lock(tally_->mutex);
    ++tally_->unfinished;
  }
  ENSURE(uv_queue_work(loop_.raw(), &order->request, Order::on_worker, Order::on_loop) == 0);
  order.release();  // libuv's until on_loop
}

}  // namespace sluice::drivers
