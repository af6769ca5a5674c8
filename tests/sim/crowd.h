// Clients as they are: they come at random or in bursts, talk in turns whose prompts grow from one
// common beginning, lose patience, ask again, leave in the middle of an answer, read slowly.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "tests/sim/site.h"

namespace sluice::sim {

struct CrowdSpec {
  Duration length = Duration::seconds(60);  // nobody new comes after it
  double per_second = 2;                    // conversations that begin
  double burst = 1;                         // that many begin at once
  int64_t prompt_max = 2000;
  int64_t output_max = 200;
  int turns_max = 1;  // of a conversation
  Duration think = Duration::seconds(2);
  double whole_share = 0.1;   // want their answer in one piece
  double leave_share = 0;     // leave at some moment of the first ten seconds
  double slow_share = 0;      // stop reading now and then
  Duration patience;          // for the first byte; zero: without end
  int retries_max = 0;        // after a refusal, a cut or lost patience
  Duration backoff;           // before the first retry, doubled with each; zero: at once
  int64_t system_prompt = 0;  // tokens that all conversations begin with
};

class Crowd {
 public:
  Crowd(Site& site, const CrowdSpec& spec, Chance chance);
  ~Crowd();

  void start();
  bool is_over() const { return !coming_ && active_ == 0; }
  int retries() const { return retries_; }

 private:
  struct Visitor {  // a conversation; its place in visitors_ stays
    size_t number = 0;
    int key = 0;
    bool stream = true;
    int turns_left = 0;
    int tries_left = 0;
    Duration backoff;
    int64_t prompt = 0;
    int64_t output = 0;
    std::optional<uint32_t> request;  // open
    bool leaves = false;              // for good
    bool reads_slowly = false;
    std::unique_ptr<ports::Timer> timer;
    enum class Next { ask, lose_patience, leave, drain } next = Next::ask;
  };
  void on_come();
  void come();
  void ask(Visitor& visitor);
  void on_time(size_t number);
  void on_over(const RequestResult& result);
  void go_on(Visitor& visitor, const RequestResult& result);
  void end(Visitor& visitor);
  std::vector<uint64_t> blocks_of(const Visitor& visitor) const;
  int64_t draw_length(int64_t most);

  Site& site_;
  const CrowdSpec spec_;
  Chance chance_;
  Instant until_;
  bool coming_ = false;
  int active_ = 0;
  int retries_ = 0;
  std::deque<Visitor> visitors_;
  std::vector<size_t> asked_by_;  // by request
  std::unique_ptr<ports::Timer> next_;
};

}  // namespace sluice::sim
