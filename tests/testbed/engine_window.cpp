#include "tests/testbed/engine_window.h"

#include <utility>

namespace sluice::testbed {

void EngineWindow::renew(Micros now, const EngineGauges& gauges, const WindowFaults& faults) {
  const bool busy = gauges.running + gauges.waiting > 0;
  if (busy) busy_at_ = now;
  const bool due = renewed_at_ == 0 || now - renewed_at_ >= from_seconds(faults.refresh_s);
  if (!due) return;
  renewed_at_ = now;
  gauges_ = gauges;
  if (busy) {
    busy_ = gauges;
    ever_busy_ = true;
  } else if (ever_busy_ && now - busy_at_ < from_seconds(faults.hold_s)) {
    gauges_ = busy_;
  }
}

void EngineWindow::remember(Micros now, Scene scene, double lag_s) {
  // The newest is overwritten while it is young: the last state before a silence must be kept.
  const std::size_t count = past_.size();
  if (count >= 2 && now - past_[count - 2].at < kSnapshotGap) past_.pop_back();
  past_.push_back({now, std::move(scene)});
  while (past_.size() >= 2 && past_[1].at <= now - from_seconds(lag_s)) past_.pop_front();
}

void EngineWindow::note(Micros now, const EngineGauges& gauges, const EngineBook& book,
                        const WindowFaults& faults) {
  renew(now, gauges, faults);
  if (faults.lag_s > 0) {
    remember(now, {gauges_, book}, faults.lag_s);
  } else {
    past_.clear();
  }
  if (!faults.frozen) {
    standing_.reset();
  } else if (!standing_) {
    standing_ = look(book);
  }
}

EngineWindow::Scene EngineWindow::look(const EngineBook& book) const {
  if (standing_) return *standing_;
  return past_.empty() ? Scene{gauges_, book} : past_.front().scene;
}

}  // namespace sluice::testbed
