#include "firmware/box/discovery.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace sluice::box {

// One place: the questions of all drivers first, then what the driver that fits reads besides.
class Discovery::Place final : public sense::SurveySink {
 public:
  Place(Discovery& all, ports::HttpOrigin origin)
      : all_(all),
        survey_(all.ports_.http, all.ports_.timers, std::move(origin), all.credentials_, all.times_,
                *this) {
    survey_.ask(all_.questions_);
  }

  void on_surveyed(std::vector<sense::SurveyAnswer> answers) override {
    answers_.add(std::move(answers));
    if (!asked_further_) {
      asked_further_ = true;
      const sense::Identity identity = identify(answers_, all_.drivers_);
      if (const sense::Fitting* best = identity.best()) {
        std::vector<std::string> further = further_questions(*best->driver, answers_);
        if (!further.empty()) return survey_.ask(std::move(further));
      }
    }
    done_ = true;
    all_.conclude(*this);
  }

  bool is_done() const { return done_; }
  bool spoke() const {
    return std::any_of(answers_.all().begin(), answers_.all().end(),
                       [](const sense::SurveyAnswer& answer) { return answer.status != 0; });
  }
  const ports::HttpOrigin& origin() const { return survey_.origin(); }
  const sense::AnswersRead& answers() const { return answers_; }

 private:
  Discovery& all_;
  sense::Survey survey_;
  sense::AnswersRead answers_;
  bool asked_further_ = false;
  bool done_ = false;
};

Discovery::Discovery(DiscoveryPorts ports, std::vector<const sense::DriverFacts*> drivers,
                     ports::HttpFields credentials, sense::SurveyTimes times, bool tell_all,
                     OnPlace on_place)
    : ports_(ports),
      drivers_(std::move(drivers)),
      questions_(sense::first_questions(drivers_)),
      credentials_(std::move(credentials)),
      times_(times),
      tell_all_(tell_all),
      on_place_(std::move(on_place)),
      sweep_(ports.timers.make([this] { begin_next(); })) {}

Discovery::~Discovery() = default;

void Discovery::run() {
  if (places_.size() > kPlacesMax) places_.resize(kPlacesMax);
  sweep_->start(Duration());
  ports_.loop.run();
}

void Discovery::begin_next() {
  std::erase_if(open_, [](const std::unique_ptr<Place>& place) { return place->is_done(); });
  while (open_.size() < kSurveysAtOnce && begun_ < places_.size()) {
    open_.push_back(std::make_unique<Place>(*this, places_[begun_++]));
  }
  if (open_.empty()) ports_.loop.stop();
}

void Discovery::conclude(Place& place) {
  if (place.spoke() || tell_all_) {
    on_place_(place.origin(), place.answers(), identify(place.answers(), drivers_));
  }
  sweep_->start(Duration());
}

}  // namespace sluice::box
