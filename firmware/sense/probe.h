// The observation of one node: its metrics at one pace, its health, model list and most documents
// at a slower one. Observing must never harm the engine: one request at a time, a bound on every
// answer, a timeout shorter than the pace, wider gaps while the node fails, blocks or has nothing
// to do.
//
// stopped -> waiting   start()
// waiting -> asking    the earliest question is due
// asking  -> waiting   answered or failed
// any     -> stopped   stop()
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/base/time.h"
#include "firmware/ports/clock.h"
#include "firmware/ports/http_client.h"
#include "firmware/ports/random.h"
#include "firmware/ports/timers.h"
#include "firmware/sense/document_shelf.h"
#include "firmware/sense/driver_facts.h"
#include "firmware/sense/engine_reading.h"
#include "firmware/sense/page_sieve.h"

namespace sluice::sense {

inline constexpr Duration kScrapeGapMin = Duration::ms(50);  // shorter settings are not obeyed
inline constexpr Duration kProbeBackoffMax = Duration::seconds(30);  // between tries at a sick node
inline constexpr Duration kBusyScrapeMax = Duration::seconds(4);     // while metrics come too late
inline constexpr Duration kProbeTimeoutMax = Duration::seconds(5);   // all but the metrics
inline constexpr Bytes kProbeBodyMax{1024 * 1024};                   // the same
inline constexpr Duration kAbsentDocumentGap = Duration::seconds(600);  // one it does not have
inline constexpr int kSlotsMax = 1000000;                               // more is not believed
inline constexpr double kProbeJitter = 0.1;                             // every gap, either way

struct ProbeTimes {
  Duration scrape = Duration::ms(1000);
  Duration scrape_timeout = Duration::ms(800);
  Duration probe = Duration::seconds(5);
};

enum class MetricsFault {
  busy,    // late, though the node is alive: it decodes
  absent,  // the engine says that it has no such page, or not for us
  broken,  // anything else
};

// Called from the callbacks of the HTTP client and never inside start(), stop() or note_use().
// A sink may call stop() but not destroy the probe. Texts are valid during the call.
class ProbeSink {
 public:
  virtual ~ProbeSink() = default;
  virtual void on_reading(const EngineReading& reading) = 0;
  // The smallest length that the list states, in tokens; nothing if it states none.
  virtual void on_models(std::vector<std::string> names, std::optional<int64_t> max_model_len) = 0;
  virtual void on_slots(int slots) = 0;
  // What documents told without a word about running or waiting requests.
  virtual void on_documents(const EngineReading& /*reading*/) {}
  virtual void on_health(bool alive, std::string_view why) = 0;  // after every look, changed or not
  virtual void on_metrics_fault(MetricsFault /*fault*/, std::string_view /*why*/) {}
  virtual void on_key_refused(int /*http_status*/) {}  // by the model list: 401 or 403
};

struct ProbePorts {
  ports::Timers& timers;
  const ports::Clock& clock;
  ports::Random& random;
};

struct ProbePlace {
  ports::HttpClient& http;
  ports::HttpOrigin origin;
  ports::HttpFields credentials;              // that every request to `origin` carries
  ports::HttpClient* metrics_http = nullptr;  // of metrics that are elsewhere; null: at `origin`
  ports::HttpOrigin metrics_origin = {};
};

class NodeProbe final : private ports::HttpCallSink {
 public:
  // The sink and the ports outlive this.
  NodeProbe(ProbePorts ports, ProbePlace place, DriverFacts facts, ProbeTimes times,
            ProbeSink& sink);
  ~NodeProbe() override = default;
  NodeProbe(const NodeProbe&) = delete;
  NodeProbe& operator=(const NodeProbe&) = delete;

  void start();
  void stop();
  // A request was sent to the node: if it was idle or asleep, scrape at the full pace again.
  void note_use();

 private:
  enum class State { stopped, waiting, asking };
  enum class Question { health, models, document, metrics };
  struct Schedule {  // of several due at once the first is asked
    Question question;
    std::string path;     // empty: never asked
    size_t document = 0;  // into the facts' documents
    Instant due;
  };
  struct Answer {
    int status = 0;  // 0: none came
    bool timed_out = false;
    bool open_metrics = false;
    std::string body;
    std::string failure;  // not empty: no whole answer
    bool is_ok() const { return failure.empty() && status >= 200 && status < 300; }
    std::string why() const;
  };

  void on_head(const ports::HttpResponseHead& head) override;
  void on_body(std::string_view bytes) override;
  void on_end() override;
  void on_fail(const ports::HttpFailure& failure) override;

  void move_to(State next);
  void arm();
  void on_due();
  Schedule* next_due();
  bool may_ask(const Schedule& entry) const;
  bool is_quick(const Schedule& entry) const;      // at the pace of scrapes
  bool is_elsewhere(const Schedule& entry) const;  // not at the node's origin
  ports::HttpCallSpec spec_for(const Schedule& entry) const;
  void conclude();
  void take_health(const Answer& answer);
  void take_models(const Answer& answer);
  void take_document(Schedule& entry, const Answer& answer);
  bool put_document(size_t document, const Answer& answer);  // false: nothing came
  EngineReading read_documents() const;
  void tell_documents();
  void take_metrics(const Answer& answer);
  void take_metrics_failure(const Answer& answer);
  bool try_next_page(const Answer& answer);
  void take_liveness(bool alive, std::string_view why);
  Schedule& schedule(Question question);          // the first with this question
  void ask_after(Schedule& entry, Duration gap);  // with jitter
  Duration scrape_gap() const;
  Duration document_gap(size_t document) const;

  // Changes.
  State state_ = State::stopped;
  std::vector<Schedule> schedules_;
  size_t current_ = 0;  // into schedules_
  Instant asked_at_;
  Answer answer_;
  bool alive_ = false;   // at the last look
  bool down_ = false;    // only `liveness_` is asked
  bool late_ = false;    // a page came too late and the health was not yet seen since
  bool asleep_ = false;  // a scrape would wake it
  bool idle_ = false;
  int failures_ = 0;          // of liveness_, in a row
  int metrics_failures_ = 0;  // in a row
  size_t page_ = 0;           // into the facts' pages: the one that is asked
  bool pageless_ = false;     // none of them was answered
  bool loading_ = false;

  // Fixed after construction.
  const ProbePorts ports_;
  DriverFacts facts_;
  DocumentShelf shelf_;  // changes
  const ProbePlace place_;
  const ProbeTimes times_;
  ProbeSink& sink_;
  Question liveness_ = Question::health;  // whose answer says whether the node is alive
  std::unique_ptr<ports::Timer> timer_;
  std::optional<PageSieve> sieve_;  // while a metrics page comes
  std::unique_ptr<ports::HttpCall> call_;
};

}  // namespace sluice::sense
