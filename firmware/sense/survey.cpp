#include "firmware/sense/survey.h"

#include <utility>

#include "firmware/base/check.h"

namespace sluice::sense {

Survey::Survey(ports::HttpClient& http, ports::Timers& timers, ports::HttpOrigin origin,
               ports::HttpFields credentials, SurveyTimes times, SurveySink& sink)
    : http_(http),
      origin_(std::move(origin)),
      credentials_(std::move(credentials)),
      times_(times),
      sink_(sink),
      timer_(timers.make([this] { ask_next(); })) {}

void Survey::move_to(State next) {
  const bool allowed = state_ == State::idle ? next == State::pausing : next != state_;
  ENSURE(allowed);
  state_ = next;
}

void Survey::ask(std::vector<std::string> paths) {
  if (paths.size() > kSurveyPathsMax) paths.resize(kSurveyPathsMax);
  paths_ = std::move(paths);
  answers_.clear();
  silences_ = 0;
  move_to(State::pausing);
  timer_->start(Duration());
}

void Survey::ask_next() {
  call_.reset();
  if (answers_.size() == paths_.size()) {
    move_to(State::idle);
    sink_.on_surveyed(std::exchange(answers_, {}));
    return;
  }
  move_to(State::asking);
  SurveyAnswer answer;
  answer.path = paths_[answers_.size()];
  ports::HttpCallSpec spec;
  spec.origin = origin_;
  spec.method = "GET";
  spec.target = ports::path_at(origin_, answer.path);
  spec.fields = credentials_;
  spec.fields.set("Accept", "text/plain;version=0.0.4, application/json, */*;q=0.1");
  spec.timeouts = {.connect = times_.connect,
                   .first_byte = times_.answer,
                   .idle = times_.answer,
                   .total = times_.answer};
  spec.body_max = kSurveyBodyMax;
  answers_.push_back(std::move(answer));
  call_ = http_.call(std::move(spec), *this);
}

void Survey::on_head(const ports::HttpResponseHead& head) {
  SurveyAnswer& answer = answers_.back();
  answer.status = head.status;
  answer.open_metrics = says_open_metrics(head.fields.get("Content-Type"));
}

void Survey::on_body(std::string_view bytes) {
  SurveyAnswer& answer = answers_.back();
  if (answer.body.size() + bytes.size() > static_cast<size_t>(kSurveyBodyMax.count)) {
    answer.failure = "the answer is larger than is read";
    conclude(false);
    return;
  }
  answer.body.append(bytes);
}

void Survey::on_fail(const ports::HttpFailure& failure) {
  SurveyAnswer& answer = answers_.back();
  answer.failure = failure.error.text.empty() ? "the connection failed" : failure.error.text;
  conclude(failure.stage == ports::HttpFailure::Stage::connect);
}

void Survey::conclude(bool nobody_there) {
  call_.reset();
  silences_ = answers_.back().status == 0 ? silences_ + 1 : 0;
  if (nobody_there || silences_ == kSurveySilencesMax) paths_.resize(answers_.size());
  move_to(State::pausing);
  timer_->start(answers_.size() == paths_.size() ? Duration() : kSurveyPause);
}

}  // namespace sluice::sense
