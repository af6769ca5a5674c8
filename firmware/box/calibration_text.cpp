#include "firmware/box/calibration_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "firmware/base/text.h"

namespace sluice::box {

namespace {

constexpr size_t kColumns = 80;
constexpr int kRateBar = 18;
constexpr int kTimeBar = 12;
// So many answers are taken to run beside a prompt when a chunk is advised.
constexpr int kBeside = 32;

std::string bar(double value, double most, int width, char of) {
  if (!(most > 0) || !(value > 0)) return "";
  const int length = std::clamp(static_cast<int>(std::lround(value / most * width)), 1, width);
  return std::string(static_cast<size_t>(length), of);
}

// Words in lines of at most kColumns, each after `indent` blanks.
std::string wrapped(std::string_view text, size_t indent) {
  const std::string margin(indent, ' ');
  std::string out = margin;
  size_t column = indent;
  for (const std::string_view word : split(text, ' ')) {
    if (column > indent && column + 1 + word.size() > kColumns) {
      out += "\n" + margin;
      column = indent;
    }
    if (column > indent) {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
  }
  return out + "\n";
}

std::string day_of(Date date) { return to_rfc3339(date.as_us()).substr(0, 16); }

double ms(double us) { return us / 1000; }

std::string chunk_words(const sense::CardFacts& card, const PromisedLevel& level) {
  const valve::StepModel& step = card.step;
  const double context = static_cast<double>(card.prompt.count + card.output.count / 2);
  const int beside = std::clamp(step.sequences_max, 1, kBeside);
  const double whole = step.full_us(beside, beside * context);
  const double limit = static_cast<double>(level.tpot_max.as_us());
  const std::string text = fmt::format(
      "While prompts are read, a step beside {} answers takes {:.0f} ms; {:.0f} ms a token are "
      "promised.",
      beside, ms(whole), ms(limit));
  if (whole <= limit) return wrapped(text + " The size of its pieces is no hindrance.", 2);
  const auto within = valve::chunk_within(step, beside, beside * context, level.tpot_max);
  if (!within) {
    return wrapped(
        text + fmt::format(" No size of pieces keeps that with {} answers at a time.", beside), 2);
  }
  const std::string advice = fmt::format(
      " THE SERVICE LEVEL CANNOT BE KEPT while prompts are read, whatever the valve does. Pieces "
      "of "
      "at most {} tokens keep it. Start the engine with one of these and calibrate again:",
      *within);
  return wrapped(text + advice, 2) + fmt::format(
                                         "      vLLM    --max-num-batched-tokens {0}\n"
                                         "      SGLang  --chunked-prefill-size {0}\n",
                                         *within);
}

}  // namespace

std::string calibration_chart(const sense::CardFacts& card, const PromisedLevel& level) {
  double rate = 0;
  Duration tpot;
  Duration ttft;
  for (const sense::CardLevel& one : card.levels) {
    rate = std::max(rate, one.output_tps);
    tpot = std::max(tpot, one.tpot_mean);
    ttft = std::max(ttft, one.ttft_p50);
  }
  std::string text =
      fmt::format("once tokens/s {:<{}} TPOT, ms {:<{}} TTFT, s\n", "", kRateBar, "", kTimeBar);
  for (const sense::CardLevel& one : card.levels) {
    const char tpot_sign = one.tpot_mean > level.tpot_max ? '!' : '#';
    const char ttft_sign = one.ttft_p50 > level.ttft_max ? '!' : '#';
    std::string line =
        fmt::format("{:>4} {:>8.0f} {:<{}} {:>8.1f} {:<{}} {:>7.2f} {}", one.concurrency,
                    one.output_tps, bar(one.output_tps, rate, kRateBar, '#'), kRateBar,
                    ms(static_cast<double>(one.tpot_mean.as_us())),
                    bar(one.tpot_mean.as_seconds(), tpot.as_seconds(), kTimeBar, tpot_sign),
                    kTimeBar, one.ttft_p50.as_seconds(),
                    bar(one.ttft_p50.as_seconds(), ttft.as_seconds(), kTimeBar, ttft_sign));
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text +
         wrapped(fmt::format("Each: {} tokens in, {} out; TTFT is the median; ! = beyond the "
                             "promise of {:.1f} s and {:.0f} ms. It ended because {}.",
                             card.prompt.count, card.output.count, level.ttft_max.as_seconds(),
                             ms(static_cast<double>(level.tpot_max.as_us())), card.ended),
                 0);
}

std::string calibration_words(const sense::CardFacts& card, const PromisedLevel& level) {
  const valve::StepModel& step = card.step;
  std::string text =
      fmt::format("{} ({}), measured {} UTC:\n", card.node, card.model, day_of(card.measured));
  std::string decode =
      fmt::format("A step takes {:.2f} ms, and {:.3f} ms more for each answer in it",
                  ms(step.base_us), ms(step.per_seq_us));
  if (step.per_kv_token_us > 0) {
    decode +=
        fmt::format(", and {:.3f} ms for each 1,000 tokens of their context", step.per_kv_token_us);
  }
  text += wrapped(fmt::format("{} (1 to {} at a time, give or take {:.1f} %).", decode,
                              std::max(1, step.sequences_max), step.spread * 100),
                  2);
  if (!(step.prefill_us_per_token > 0)) {
    return text + "  Reading prompts takes no time that could be measured.\n";
  }
  text +=
      wrapped(fmt::format("It reads {:.0f} prompt tokens a second ({:.1f} us each), in pieces of "
                          "{}{} tokens.",
                          1e6 / step.prefill_us_per_token, step.prefill_us_per_token,
                          card.chunk_is_at_least ? "at least " : "", step.chunk_tokens),
              2);
  return text + chunk_words(card, level);
}

}  // namespace sluice::box
