// sluiced calibrate NODE: asks the running daemon to measure a node, watches, and shows what came
// of it. When this program ends before that, the daemon stops measuring.
#include <fmt/format.h>

#include <string>

#include "drivers/uv/clock.h"
#include "drivers/uv/loop.h"
#include "drivers/uv/timers.h"
#include "firmware/box/admin_client.h"
#include "firmware/box/calibration_text.h"
#include "firmware/box/cli.h"
#include "firmware/ports/json.h"

namespace sluice::box {

using ports::JsonValue;

namespace {

constexpr Duration kPollGap = Duration::ms(500);
constexpr const char* kTarget = "/api/v1/calibration";

void pause(Duration time) {
  drivers::UvLoop loop;
  const drivers::UvClock clock(loop);
  drivers::UvTimers timers(loop, clock);
  const std::unique_ptr<ports::Timer> timer = timers.make([&loop] { loop.stop(); });
  timer->start(time);
  loop.run();
}

std::string wish_of(const CalibrateOptions& options) {
  return ports::to_json(JsonValue::object({{"node", options.node},
                                           {"model", options.model},
                                           {"quick", options.quick},
                                           {"now", options.now},
                                           {"concurrency_max", options.concurrency_max},
                                           {"minutes_max", options.minutes_max},
                                           {"prompt_tokens", options.prompt_tokens},
                                           {"output_tokens", options.output_tokens},
                                           {"author", "command line"}}));
}

// What changed since the last look, for people who watch.
void tell_progress(const JsonValue& report, std::string& last) {
  const std::string doing(report.text("doing"));
  if (doing == last) return;
  last = doing;
  std::fputs(fmt::format("{:>6.1f} s  {}\n", report.number("elapsed_ms") / 1000, doing).c_str(),
             stderr);
}

int show(const Options& options, const JsonValue& report) {
  if (report.text("state") != "done") {
    return complain({ErrorKind::busy, "calibrate",
                     fmt::format("{} was not measured to the end: {}. Nothing was kept",
                                 options.calibrate.node, report.text("why"))});
  }
  const JsonValue* member = report.find("card");
  const Result<sense::CardFacts> card =
      member != nullptr ? sense::card_of(*member)
                        : Error{ErrorKind::broken, "calibrate", "the daemon showed no card"};
  if (!card) return complain(card.error());
  const PromisedLevel level{Duration::us(report.integer("ttft_max_us")),
                            Duration::us(report.integer("tpot_max_us"))};
  if (options.json) {
    say(ports::to_json(*member) + "\n");
  } else {
    say(calibration_chart(*card, level) + "\n" + calibration_words(*card, level));
  }
  if (report.text("unsaved").empty()) return 0;
  return complain(
      {ErrorKind::busy, "calibrate",
       fmt::format("the card is in use, but not kept over a restart: {}", report.text("unsaved"))});
}

}  // namespace

int calibrate(const Options& options, const LoadedSettings& loaded) {
  const std::string& socket = loaded.effective.settings.start.listen.admin_socket;
  const Result<AdminAnswer> begun = ask_admin(socket, "POST", kTarget, wish_of(options.calibrate));
  if (!begun) return complain(begun.error());
  if (begun->status != 200) return complain(error_of(*begun));
  std::string last;
  for (;;) {
    const Result<AdminAnswer> answer = ask_admin(socket, "GET", kTarget, "");
    if (!answer) return complain(answer.error());
    if (answer->status != 200) return complain(error_of(*answer));
    const Result<JsonValue> report = ports::parse_json(answer->body);
    if (!report) return complain(report.error());
    tell_progress(*report, last);
    if (report->text("state") != "running") return show(options, *report);
    pause(kPollGap);
  }
}

}  // namespace sluice::box
