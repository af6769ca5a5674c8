// Surveys of several places, a few at a time: what `sluiced probe` does with one address or a
// subnet. Order: add(), then run() once, which returns when every place has been asked.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "drivers/uv/loop.h"
#include "firmware/ports/http_client.h"
#include "firmware/ports/timers.h"
#include "firmware/sense/identity.h"
#include "firmware/sense/survey.h"

namespace sluice::box {

inline constexpr size_t kSurveysAtOnce = 8;
inline constexpr size_t kPlacesMax = 65536;  // of one discovery

struct DiscoveryPorts {
  drivers::UvLoop& loop;
  ports::HttpClient& http;
  ports::Timers& timers;
};

class Discovery {
 public:
  using OnPlace = std::function<void(const ports::HttpOrigin&, const sense::AnswersRead&,
                                     const sense::Identity&)>;

  // `drivers` outlive this. `on_place` is told of each place that spoke HTTP, or of each at all.
  Discovery(DiscoveryPorts ports, std::vector<const sense::DriverFacts*> drivers,
            ports::HttpFields credentials, sense::SurveyTimes times, bool tell_all,
            OnPlace on_place);
  ~Discovery();
  Discovery(const Discovery&) = delete;
  Discovery& operator=(const Discovery&) = delete;

  void add(ports::HttpOrigin origin) { places_.push_back(std::move(origin)); }
  void run();

 private:
  class Place;
  void begin_next();
  void conclude(Place& place);

  const DiscoveryPorts ports_;
  const std::vector<const sense::DriverFacts*> drivers_;
  const std::vector<std::string> questions_;
  const ports::HttpFields credentials_;
  const sense::SurveyTimes times_;
  const bool tell_all_;
  const OnPlace on_place_;
  std::vector<ports::HttpOrigin> places_;
  size_t begun_ = 0;
  std::vector<std::unique_ptr<Place>> open_;
  std::unique_ptr<ports::Timer> sweep_;  // places that are done go in a turn of their own
};

}  // namespace sluice::box
