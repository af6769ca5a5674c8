// The window through which a scraper sees an engine, and what clouds it. Engines in the field show
// values of the last step, of the last second, or of half a minute ago; some keep the last busy
// value when they are idle. What is true is not touched.
// Order: note() at every turn of the loop; times never decrease.
#pragma once

#include <deque>
#include <optional>
#include <string>

#include "tests/testbed/engine_book.h"
#include "tests/testbed/micros.h"

namespace sluice::testbed {

struct WindowFaults {
  double refresh_s = 0;  // gauges are renewed only so often
  double hold_s = 0;     // gauges keep their last busy value for so long after the engine is idle
  double lag_s = 0;      // everything is shown as it was so long ago
  bool frozen = false;   // everything is shown as it was when this began
  double late_s = 0;     // while a request runs, a page comes so much later
  bool asleep = false;
  std::string renamed_metric;  // empty: none
  std::string new_name;
};

class EngineWindow {
 public:
  struct Scene {
    EngineGauges gauges;
    EngineBook book;
  };

  void note(Micros now, const EngineGauges& gauges, const EngineBook& book,
            const WindowFaults& faults);
  // As of the last note(), whose book is `book` still.
  Scene look(const EngineBook& book) const;

 private:
  static constexpr Micros kSnapshotGap = 20'000;
  struct Snapshot {
    Micros at;
    Scene scene;
  };
  void renew(Micros now, const EngineGauges& gauges, const WindowFaults& faults);
  void remember(Micros now, Scene scene, double lag_s);

  EngineGauges gauges_;  // as last renewed
  Micros renewed_at_ = 0;
  EngineGauges busy_;  // the last of which anything ran
  Micros busy_at_ = 0;
  bool ever_busy_ = false;
  std::deque<Snapshot> past_;      // while there is a lag
  std::optional<Scene> standing_;  // while frozen
};

}  // namespace sluice::testbed
