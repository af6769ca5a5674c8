// Which of several nodes: hard rules first, then one score in money.
//
// score = price + carbon + waiting + risk + leaving, in box currency; the least wins:
//   price    uncached prompt tokens, cached ones and the expected answer, at the node's prices
//   carbon   grams of all tokens at the price of carbon
//   waiting  the predicted TTFT and the time of the answer, at the price of a second
//   risk     what a retry costs (all of the above, and the time lost), times the retries expected
//            from the share of attempts that failed of late
//   leaving  of a cloud node, for who would rather wait at home
// Seconds have a price in box currency (Policy::waiting_price_nano_per_s, setting
// valve.waiting_price_per_s); each goal weighs the parts by its row of the table below.
//
// Nodes within kTieShare of the least score are alike: predictions are not better than that. Among
// them the conversation stays where most of its prompt was sent before (affinity), then turns are
// drawn in proportion to the declared weights.
#pragma once

#include <array>
#include <compare>
#include <cstdint>

#include "firmware/base/units.h"
#include "firmware/valve/ask.h"
#include "firmware/valve/forecast.h"
#include "firmware/valve/policy.h"
#include "firmware/valve/view.h"

namespace sluice::valve {

// Why a node cannot be asked, in the order in which it is looked at: the later, the nearer it was.
enum class Bar { not_permitted, no_feature, too_long, over_budget, down, full, none };

// What a request needs of the context, given the nodes it may use: as estimated, where one of them
// has that much. Prompts are counted in bytes, and text has up to twice as many bytes to a token as
// the estimate assumes: where no node has as much as estimated, half of the prompt is asked for,
// and the node itself says no if it is too long after all.
Tokens context_needed(const Ask& ask, const View& view);

Bar bar_of(const NodeView& node, const Ask& ask, Tokens context_needed);

bool costs_money(const NodeView& node);

struct Weights {
  Goal goal;
  int64_t carbon_floor_nano_per_kg;  // carbon costs at least this, whatever the policy says
  double waiting;                    // of the price of a second, until the first token
  double generation;  // the same while the answer comes; of one in one piece `waiting` holds
  double leaving_s;   // seconds that it would rather wait than leave the site
};

// Money counts as money for every goal, so that of two nodes alike in all else the cheaper wins.
//
// cost: a second counts a tenth of its price: it decides between equal prices, and no more.
// balanced: a second has its price. Text is read at about 5 tokens/s, slower than nearly every node
//   writes it: a second of the answer's coming counts a fifth of a second of waiting for its start.
// fast: ten times the price of a second; at the setting's default (0.001) that is 36 an hour, about
//   what the hour of the person who waits costs.
// green: carbon costs at least 10 a kg, about a hundred times what allowances trade for: then the
//   carbon of a request (0.1 to 1 g) weighs as much as its tokens (0.001 to 0.01).
// home_first: leaving costs as much as a minute of waiting.
inline constexpr std::array<Weights, 5> kWeights = {{
    {Goal::cost, 0, 0.1, 0.02, 0},
    {Goal::balanced, 0, 1, 0.2, 0},
    {Goal::fast, 0, 10, 2, 0},
    {Goal::green, 10'000'000'000, 1, 0.2, 0},
    {Goal::home_first, 0, 1, 0.2, 60},
}};

const Weights& weights_of(Goal goal);

// The answer's length as far as it can be expected.
Tokens expected_output(const Ask& ask, const Policy& policy);

struct Score {
  Money price;  // as the node bills it
  Money carbon;
  Money waiting;
  Money risk;
  Money leaving;
  Money total() const { return price + carbon + waiting + risk + leaving; }
};

Score score(const NodeView& node, const Ask& ask, const Forecast& forecast, const Policy& policy);

inline constexpr double kTieShare = 0.02;

// A node's place among the others: the least is first.
struct Rank {
  bool spare = false;   // declared weight 0: only if there is no other
  int64_t money = 0;    // 0 for all that are alike with the cheapest
  int64_t strange = 0;  // minus the tokens that were sent there before
  double lot = 0;
  std::partial_ordering operator<=>(const Rank&) const = default;
};

// `least`: the least total among those compared. `part`: uniform in [0, 1), drawn for this node.
Rank rank_of(const NodeView& node, Money total, Money least, double part);

}  // namespace sluice::valve
