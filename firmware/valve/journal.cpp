#include "firmware/valve/journal.h"

#include <charconv>
#include <cstring>
#include <type_traits>

namespace sluice::valve {

namespace {

// Each struct lists its fields once; the same list writes and reads.
template <class V>
void fields(V& v, ServiceLevel& level) {
  v.field("ttft_max", level.ttft_max);
  v.field("tpot_max", level.tpot_max);
}

template <class V>
void fields(V& v, Ask& ask) {
  v.field("id", ask.id);
  v.field("key", ask.key);
  v.field("model", ask.model);
  v.field("prompt", ask.prompt_tokens);
  v.field("output_max", ask.output_tokens_max);
  v.field("stream", ask.stream);
  v.field("priority", ask.priority, Priority::high);
  fields(v, ask.level);
  v.field("arrived", ask.arrived);
  v.field("deadline", ask.deadline);
  v.field("may_use", ask.may_use);
  v.field("home", ask.stays_home);
  v.field("goal", ask.goal, kGoalLast);
  v.field("needs", ask.needs);
  v.field("context", ask.context);
  v.field("over_budget", ask.over_budget);
  v.field("beginning", ask.beginning);
}

template <class V>
void fields(V& v, TpotPoint& point) {
  v.field("at", point.concurrency);
  v.field("tpot", point.tpot);
}

template <class V>
void fields(V& v, StepModel& step) {
  v.field("base_us", step.base_us);
  v.field("per_seq_us", step.per_seq_us);
  v.field("per_kv_us", step.per_kv_token_us);
  v.field("per_prefill_us", step.prefill_us_per_token);
  v.field("chunk", step.chunk_tokens);
  v.field("seq_max", step.sequences_max);
  v.field("spread", step.spread);
}

template <class V>
void fields(V& v, EngineMoment& moment) {
  v.field("step_left", moment.step_left);
  v.field("prefill_left", moment.prefill_left);
  v.field("prompts_left", moment.prompts_left);
  v.field("decoding", moment.decoding);
  v.field("context", moment.kv);
  v.field("duty", moment.duty);
  v.field("spare", moment.spare);
}

template <class V>
void fields(V& v, NodeView& node) {
  v.field("node", node.id);
  v.field("name", node.name);
  v.field("place", node.place, Place::cloud);
  v.field("health", node.health, Health::unknown);
  v.field("share", node.share);
  v.field("leased_until", node.leased_until);
  v.field("in_flight", node.in_flight);
  v.field("others", node.others);
  v.field("waiting", node.waiting);
  v.field("slots", node.slots);
  v.field("untried", node.untried_concurrency);
  v.field("kv", node.kv_usage);
  v.field("backlog", node.prefill_backlog);
  v.field("ttft_base", node.ttft_base);
  v.field("prefill_us", node.prefill_us_per_token);
  v.field("residence", node.residence);
  v.list("points", node.tpot, kTpotPointsMax);
  v.field("strictest_tpot", node.strictest_tpot);
  v.field("price_in", node.price_in_nano);
  v.field("price_out", node.price_out_nano);
  v.field("carbon", node.carbon_ug_per_token);
  v.field("price_cached", node.price_cached_nano);
  v.field("context_max", node.context_max);
  v.field("offers", node.offers);
  v.field("failure_share", node.failure_share);
  v.field("weight", node.weight);
  v.field("matched", node.matched);
  v.field("cached", node.cached);
  fields(v, node.step);
  fields(v, node.moment);
  v.field("ttft_spread", node.ttft_spread);
  v.field("ttft_late", node.ttft_late);
}

template <class V>
void fields(V& v, View& view) {
  v.field("now", view.now);
  v.field("overflowing", view.overflowing);
  v.field("held", view.held);
  v.field("held_prompt", view.held_prompt);
  v.list("nodes", view.nodes, kNodesMax);
}

template <class V>
void fields(V& v, Policy& policy) {
  v.field("overflow", policy.overflow);
  v.field("hold", policy.hold);
  v.field("hysteresis", policy.hysteresis);
  v.field("margin", policy.margin);
  v.field("growth", policy.growth);
  v.field("untried_prefill_tps", policy.untried_prefill_tps);
  v.field("expected_output", policy.expected_output);
  v.field("carbon_price", policy.carbon_price_nano_per_kg);
  v.field("attempts_max", policy.attempts_max);
  v.field("first_byte_max", policy.first_byte_max);
  v.field("hedge", policy.hedge);
  v.field("waiting_price", policy.waiting_price_nano_per_s);
  v.field("rule", policy.rule, kRuleLast);
  v.field("rule_concurrency", policy.rule_concurrency);
  v.field("rule_queue", policy.rule_queue);
  v.field("rule_kv", policy.rule_kv);
  v.field("queue_share", policy.queue_share);
  v.field("forecast_noise", policy.forecast_noise);
}

template <class V>
void fields(V& v, Forecast& forecast) {
  v.field("ttft", forecast.ttft);
  v.field("tpot", forecast.tpot);
  v.field("concurrency", forecast.concurrency);
  v.field("line", forecast.line);
  v.field("crowd", forecast.crowd_level);
  v.field("level", forecast.level);
  v.field("bound", forecast.bound, Bound::ttft);
  v.field("ttft_high", forecast.ttft_high);
  v.field("makes_late", forecast.makes_late);
  v.field("queues", forecast.queues);
}

template <class V>
void fields(V& v, Candidate& candidate) {
  v.field("node", candidate.node);
  v.field("place", candidate.place, Place::cloud);
  v.field("first_byte_max", candidate.first_byte_max);
  fields(v, candidate.forecast);
  v.field("cost", candidate.cost.nano);
  v.field("score", candidate.score.nano);
}

template <class V>
void fields(V& v, Plan& plan) {
  v.field("verdict", plan.verdict, Verdict::refuse);
  v.field("reason", plan.reason, kReasonLast);
  v.list("candidates", plan.candidates, kNodesMax);
  v.field("decide_by", plan.decide_by);
  v.field("rescue_at", plan.rescue_at);
  v.field("overflowing", plan.overflowing);
  v.field("level", plan.level);
  v.field("line", plan.line);
  v.field("hedge_after", plan.hedge_after);
  v.field("context_max", plan.context_max);
}

// Scalars as whole numbers, where they are.
template <class T>
concept Whole = std::is_integral_v<T>;

int64_t to_whole(Duration v) { return v.as_us(); }
int64_t to_whole(Instant v) { return v.as_us(); }
int64_t to_whole(Tokens v) { return v.count; }
void from_whole(int64_t n, Duration& v) { v = Duration::us(n); }
void from_whole(int64_t n, Instant& v) { v = Instant::from_us(n); }
void from_whole(int64_t n, Tokens& v) { v.count = n; }

// Writes into room made beforehand, so that a line of two hundred fields costs no call for each
// piece.
class Writer {
 public:
  explicit Writer(std::string& out) : out_(out), used_(out.size()) {}
  ~Writer() { out_.resize(used_); }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  void text(std::string_view piece) {
    make_room(piece.size());
    put(piece);
  }
  template <Whole T>
  void field(std::string_view name, T value) {
    begin(name);
    number(value);
  }
  void field(std::string_view name, double value) {
    begin(name);
    number(value);
  }
  void field(std::string_view name, NodeSet value) { field(name, value.bits()); }
  void field(std::string_view name, FeatureSet value) { field(name, value.bits()); }
  void field(std::string_view name, NodeId node) { field(name, static_cast<int>(node.index)); }
  void field(std::string_view name, const std::string& text) {
    begin(name);
    make_room(3 * text.size());
    for (const char c : text) {
      if (static_cast<unsigned char>(c) > ' ' && c != '%' && c != 0x7f) {
        out_[used_++] = c;
      } else {
        static constexpr char kDigits[] = "0123456789ABCDEF";
        out_[used_++] = '%';
        out_[used_++] = kDigits[static_cast<unsigned char>(c) >> 4];
        out_[used_++] = kDigits[static_cast<unsigned char>(c) & 15];
      }
    }
  }
  template <class E>
  requires std::is_enum_v<E>
  void field(std::string_view name, E value, E) { field(name, static_cast<int>(value)); }
  template <class T>
  requires requires(T v) { to_whole(v); }
  void field(std::string_view name, T value) { field(name, to_whole(value)); }
  template <class T>
  void list(std::string_view name, std::vector<T>& items, int) {
    field(name, items.size());
    for (T& item : items) fields(*this, item);
  }

 private:
  static constexpr size_t kNumberMax = 32;
  static constexpr size_t kStep = 1024;

  void make_room(size_t size) {
    if (out_.size() - used_ < size) out_.resize(used_ + size + kStep);
  }
  void put(std::string_view piece) {
    std::memcpy(out_.data() + used_, piece.data(), piece.size());
    used_ += piece.size();
  }
  void begin(std::string_view name) {
    make_room(name.size() + 2 + kNumberMax);
    out_[used_++] = ' ';
    put(name);
    out_[used_++] = '=';
  }
  template <class T>
  void number(T value) {
    if constexpr (std::is_same_v<T, bool>) {
      out_[used_++] = value ? '1' : '0';
    } else {
      char* const at = out_.data() + used_;
      used_ += static_cast<size_t>(std::to_chars(at, at + kNumberMax, value).ptr - at);
    }
  }

  std::string& out_;
  size_t used_;  // what follows is room
};

class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  const std::string& fault() const { return fault_; }
  bool at_end() const { return rest_.empty(); }

  std::string_view word() {
    if (!rest_.empty() && rest_.front() == ' ') rest_.remove_prefix(1);
    const std::string_view word = rest_.substr(0, rest_.find(' '));
    rest_.remove_prefix(word.size());
    return word;
  }
  template <class T>
  void number(std::string_view text, const char* name, T& value) {
    if constexpr (std::is_same_v<T, bool>) {
      if (text != "0" && text != "1") fail(name, "is not 0 or 1");
      value = text == "1";
    } else {
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
      if (error != std::errc() || end != text.data() + text.size()) fail(name, "is not a number");
    }
  }

  template <Whole T>
  void field(const char* name, T& value) {
    number(text_of(name), name, value);
  }
  void field(const char* name, double& value) { number(text_of(name), name, value); }
  void field(const char* name, NodeSet& value) {
    uint64_t bits = 0;
    field(name, bits);
    value = NodeSet::from_bits(bits);
  }
  void field(const char* name, FeatureSet& value) {
    unsigned bits = 0;
    field(name, bits);
    if (bits > FeatureSet::all().bits()) return fail(name, "is out of range");
    value = FeatureSet::from_bits(bits);
  }
  void field(const char* name, NodeId& value) {
    int index = 0;
    field(name, index);
    if (index < 0 || index >= kNodesMax) return fail(name, "is out of range");
    value.index = static_cast<uint8_t>(index);
  }
  void field(const char* name, std::string& value) {
    const std::string_view text = text_of(name);
    value.clear();
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] != '%') {
        value += text[i];
        continue;
      }
      unsigned code = 0;
      const std::string_view digits = text.substr(i + 1, 2);
      const auto [end, error] =
          std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
      if (error != std::errc() || end != digits.data() + 2) return fail(name, "has a bad %XX");
      value += static_cast<char>(code);
      i += 2;
    }
  }
  template <class E>
  requires std::is_enum_v<E>
  void field(const char* name, E& value, E last) {
    int number = 0;
    field(name, number);
    if (number < 0 || number > static_cast<int>(last)) return fail(name, "is out of range");
    value = static_cast<E>(number);
  }
  template <class T>
  requires requires(T v) { to_whole(v); }
  void field(const char* name, T& value) {
    int64_t number = 0;
    field(name, number);
    from_whole(number, value);
  }
  template <class T>
  void list(const char* name, std::vector<T>& items, int count_max) {
    int count = 0;
    field(name, count);
    if (count < 0 || count > count_max) return fail(name, "is out of range");
    items.clear();
    for (int i = 0; i < count && fault_.empty(); ++i) {
      items.emplace_back();
      fields(*this, items.back());
    }
  }

 private:
  std::string_view text_of(const char* name) {
    const std::string_view pair = word();
    const size_t at = pair.find('=');
    if (at == std::string_view::npos || pair.substr(0, at) != name) {
      fail(name, "is missing or not in its place");
      return "0";
    }
    return pair.substr(at + 1);
  }
  void fail(const char* name, const char* why) {
    if (fault_.empty()) fault_ = std::string("field ") + name + " " + why;
  }

  std::string_view rest_;
  std::string fault_;
};

Error broken(const std::string& what) {
  return {ErrorKind::broken, "journal", "not a decision that can be replayed: " + what};
}

std::string misplaced(const char* word, const Reader& reader) {
  if (!reader.fault().empty()) return reader.fault();
  return std::string("\"") + word + "\" is missing";
}

std::string policy_fields(Policy policy) {
  std::string text;
  {
    Writer writer(text);
    fields(writer, policy);
  }
  return text;
}

Result<std::optional<Decision>> read_decision(Reader& reader,
                                              const std::map<uint64_t, Policy>& policies) {
  Decision decision;
  uint64_t policy = 0;
  reader.number(reader.word(), "policy id", policy);
  const auto found = policies.find(policy);
  if (found == policies.end()) return broken("no policy line stands before it");
  decision.policy = found->second;
  reader.number(reader.word(), "draw", decision.draw.value);
  if (reader.word() != "ask") return broken("\"ask\" is missing");
  fields(reader, decision.ask);
  if (reader.word() != "view") return broken(misplaced("view", reader));
  fields(reader, decision.view);
  if (reader.word() != "plan") return broken(misplaced("plan", reader));
  fields(reader, decision.plan);
  if (!reader.fault().empty()) return broken(reader.fault());
  if (!reader.at_end()) return broken("text after the last field");
  return std::optional<Decision>(std::move(decision));
}

}  // namespace

uint64_t policy_id(const Policy& policy) {
  uint64_t hash = 0xcbf29ce484222325ull;  // FNV-1a, 64 bits
  for (const char c : policy_fields(policy)) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  }
  return hash;
}

std::string policy_line(const Policy& policy) {
  return "policy " + std::to_string(policy_id(policy)) + policy_fields(policy) + "\n";
}

std::string decision_line(const Decision& decision, uint64_t policy) {
  std::string line;
  append_decision_line(decision, policy, line);
  return line;
}

void append_decision_line(const Decision& decision, uint64_t policy, std::string& out) {
  // The field lists take references, to serve reading too; the writer changes nothing.
  auto& made = const_cast<Decision&>(decision);
  out.append("decision ").append(std::to_string(policy));
  out.append(" ").append(std::to_string(decision.draw.value)).append(" ask");
  Writer writer(out);
  fields(writer, made.ask);
  writer.text(" view");
  fields(writer, made.view);
  writer.text(" plan");
  fields(writer, made.plan);
  writer.text("\n");
}

Result<std::optional<Decision>> JournalReader::read(std::string_view line) {
  if (!line.empty() && line.back() == '\n') line.remove_suffix(1);
  if (line.size() > kJournalLineMax) return broken("the line is too long");
  if (line == kJournalHead.substr(0, kJournalHead.size() - 1)) return std::optional<Decision>();
  Reader reader(line);
  const std::string_view kind = reader.word();
  if (kind == "decision") return read_decision(reader, policies_);
  if (kind != "policy") return broken("the line starts with neither policy nor decision");
  uint64_t id = 0;
  reader.number(reader.word(), "policy id", id);
  Policy policy;
  fields(reader, policy);
  if (!reader.fault().empty()) return broken(reader.fault());
  policies_[id] = policy;
  return std::optional<Decision>();
}

}  // namespace sluice::valve
