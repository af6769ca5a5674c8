// sluiced rehearse: reads the trace, asks the running daemon what it has learnt of the engines, and
// plays. Nothing is sent to any node.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "drivers/os/files.h"
#include "drivers/sqlite/sqlite_store.h"
#include "firmware/box/admin_client.h"
#include "firmware/box/cli.h"
#include "firmware/box/rehearsal_text.h"
#include "firmware/box/rehearsed_site.h"
#include "firmware/rehearse/journal_arrivals.h"
#include "firmware/rehearse/rehearsal.h"

namespace sluice::box {

namespace {

constexpr Bytes kTraceFileMax{2ll * 1024 * 1024 * 1024};
constexpr size_t kAnswersMax = rehearse::kArrivalsMax;
constexpr std::string_view kRequestPrefix = "req-";
constexpr const char* kAnswersQuery =
    "SELECT request, COALESCE(out_reported, out_counted) FROM attempts WHERE outcome = 'served'";

Error in_file(const std::string& path, const Error& error) {
  return {error.kind, error.where, path + ": " + error.text};
}

// The ledger's answers by the number in their request's name (proxy/api_error.h: request_id).
rehearse::KnownAnswers known_answers(const std::string& ledger) {
  rehearse::KnownAnswers answers;
  const Result<ports::SqlRows> rows =
      drivers::SqliteStore::query_now(ledger, {kAnswersQuery, {}}, kAnswersMax);
  if (!rows) return answers;  // none yet
  for (const std::vector<ports::SqlValue>& row : rows->rows) {
    const auto* name = std::get_if<std::string>(&row.at(0));
    const auto* tokens = std::get_if<int64_t>(&row.at(1));
    if (name == nullptr || tokens == nullptr || !name->starts_with(kRequestPrefix)) continue;
    uint64_t id = 0;
    const char* end = name->data() + name->size();
    const auto read = std::from_chars(name->data() + kRequestPrefix.size(), end, id, 16);
    if (read.ec == std::errc() && read.ptr == end) answers[id] = *tokens;
  }
  return answers;
}

// What is played, and what is to be said of it.
struct Play {
  RehearsedSite stage;
  rehearse::Trace trace;
  std::vector<std::string> notes;
};

Result<RehearsedSite> site_of(const Options& options, const LoadedSettings& loaded) {
  const settings::Settings& settings = loaded.effective.settings;
  ports::JsonValue status;
  const Result<AdminAnswer> answer =
      ask_admin(settings.start.listen.admin_socket, "GET", "/api/v1/status", "");
  if (!answer && answer.error().kind != ErrorKind::gone) return answer.error();
  if (answer && answer->status != 200) return error_of(*answer);
  if (answer) {
    Result<ports::JsonValue> read = ports::parse_json(answer->body);
    if (!read) return read.error();
    status = std::move(*read);
  }
  drivers::OsFiles files;
  const std::string path = settings.start.state_dir + "/cards.json";
  const Result<std::string> text = files.read(path, sense::kCardFileMax);
  std::vector<sense::CardFacts> cards;
  if (text) {
    Result<std::vector<sense::CardFacts>> read = sense::read_cards(*text);
    if (!read) return in_file(path, read.error());
    cards = std::move(*read);
  }
  return site_by_settings(options.rehearse, settings, status, cards);
}

Result<void> add_trace(const std::string& path, const rehearse::KnownAnswers& answers, Play& play) {
  drivers::OsFiles files;
  const Result<std::string> text = files.read(path, kTraceFileMax);
  if (!text) return text.error();
  if (!rehearse::is_journal(*text)) {
    Result<rehearse::Trace> read = rehearse::parse_trace(*text);
    if (!read) return in_file(path, read.error());
    play.trace.insert(play.trace.end(), read->begin(), read->end());
    return {};
  }
  const Tokens usual = play.stage.policy.expected_output;
  Result<rehearse::JournalTrace> read = rehearse::trace_of_journal(*text, answers, usual);
  if (!read) return in_file(path, read.error());
  play.notes.push_back(fmt::format("{}: of {} answers the ledger knows the length of {}", path,
                                   read->trace.size(), read->answers_known));
  play.trace.insert(play.trace.end(), read->trace.begin(), read->trace.end());
  return {};
}

const valve::StepModel& first_step(const rehearse::Site& site) {
  const auto found = std::find_if(site.nodes.begin(), site.nodes.end(), [](const auto& node) {
    return std::holds_alternative<rehearse::EngineSpec>(node.service);
  });
  return std::get<rehearse::EngineSpec>(found->service).step;
}

Result<Play> prepare(const Options& options) {
  const RehearseOptions& wish = options.rehearse;
  Play play;
  rehearse::KnownAnswers answers;
  const bool by_flags = wish.base_ms >= 0 || wish.prefill_us > 0;
  if (by_flags) {
    Result<RehearsedSite> made = site_by_flags(wish);
    if (!made) return made.error();
    play.stage = std::move(*made);
  } else {
    drivers::OsFiles files;
    const Result<LoadedSettings> loaded = load_settings(options.config, files);
    if (!loaded) {
      return Error{loaded.error().kind, "rehearse",
                   loaded.error().text +
                       ". Name the box's settings (--config), or give an engine "
                       "by flags: --base-ms --prefill-us --chunk"};
    }
    Result<RehearsedSite> made = site_of(options, *loaded);
    if (!made) return made.error();
    play.stage = std::move(*made);
    answers = known_answers(loaded->effective.settings.start.state_dir + "/ledger.db");
  }
  play.notes = play.stage.sources;
  for (const std::string& path : wish.traces) {
    if (Result<void> read = add_trace(path, answers, play); !read) return read.error();
  }
  rehearse::in_order_from_zero(play.trace);
  if (play.trace.empty()) {
    return Error{ErrorKind::refused, "rehearse", "there is no request in the trace"};
  }
  const rehearse::WorkLaw law = rehearse::work_law(first_step(play.stage.site));
  if (wish.speed > 0) play.trace = rehearse::hurried(std::move(play.trace), wish.speed);
  if (wish.rho <= 0) return play;
  if (!(rehearse::offered_load(play.trace, law) > 0)) {
    return Error{ErrorKind::refused, "rehearse",
                 "this trace has no load that time could be stretched to (one moment, or an engine "
                 "whose empty step is longer than 100 ms); leave --rho out"};
  }
  play.trace = rehearse::dilated(std::move(play.trace), law, wish.rho);
  return play;
}

Result<std::vector<rehearse::Contender>> contenders(const Options& options,
                                                    const valve::Policy& policy) {
  if (options.rehearse.policies.empty()) return rehearse::all_contenders(policy);
  std::vector<rehearse::Contender> chosen;
  for (const std::string& name : options.rehearse.policies) {
    Result<rehearse::Contender> one = rehearse::contender_named(name, policy);
    if (!one) return one.error();
    chosen.push_back(std::move(*one));
  }
  return chosen;
}

}  // namespace

int rehearse(const Options& options) {
  const Result<Play> play = prepare(options);
  if (!play) return complain(play.error());
  const auto chosen = contenders(options, play->stage.policy);
  if (!chosen) return complain(chosen.error());
  const rehearse::Site& site = play->stage.site;
  std::vector<Rehearsed> scores;
  for (const rehearse::Contender& contender : *chosen) {
    const auto outcomes = rehearse::Rehearsal::play(play->trace, site, contender);
    if (!outcomes) return complain(outcomes.error());
    scores.push_back({contender.name, rehearse::score(play->trace, *outcomes, site)});
  }
  RehearsalHead head;
  head.notes = play->notes;
  head.requests = static_cast<int64_t>(play->trace.size());
  head.seconds = static_cast<double>(play->trace.back().at_us) / 1e6;
  head.rho = rehearse::offered_load(play->trace, rehearse::work_law(first_step(site)));
  head.level = site.level;
  head.currency = play->stage.currency;
  say(options.json ? ports::to_json(rehearsal_json(head, scores)) + "\n"
                   : rehearsal_text(head, scores));
  return 0;
}

}  // namespace sluice::box
