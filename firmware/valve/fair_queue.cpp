#include "firmware/valve/fair_queue.h"

#include <algorithm>

namespace sluice::valve {

bool FairQueue::push(Ticket ticket) {
  if (waiting_.size() >= length_max_ || waiting_.contains(ticket.id)) return false;
  double& finish = finish_tag_[{ticket.priority, ticket.key}];
  Waiting entry;
  entry.start_tag = std::max(virtual_time_[ticket.priority], finish);
  entry.arrival = arrivals_++;
  finish = entry.start_tag + static_cast<double>(std::max<int64_t>(1, ticket.cost.count));
  const uint64_t id = ticket.id;
  entry.ticket = std::move(ticket);
  waiting_.emplace(id, std::move(entry));
  return true;
}

bool FairQueue::remove(uint64_t id) {
  if (waiting_.erase(id) == 0) return false;
  if (waiting_.empty()) finish_tag_.clear();
  return true;
}

std::vector<uint64_t> FairQueue::expired(Instant now) const {
  std::vector<uint64_t> ids;
  for (const auto& [id, entry] : waiting_) {
    if (entry.ticket.deadline <= now) ids.push_back(id);
  }
  return ids;
}

std::optional<Instant> FairQueue::next_deadline() const {
  std::optional<Instant> next;
  for (const auto& [id, entry] : waiting_) {
    if (!next || entry.ticket.deadline < *next) next = entry.ticket.deadline;
  }
  return next;
}

std::vector<uint64_t> FairQueue::order() const {
  std::vector<const Waiting*> entries;
  entries.reserve(waiting_.size());
  for (const auto& [id, entry] : waiting_) entries.push_back(&entry);
  std::sort(entries.begin(), entries.end(), [](const Waiting* a, const Waiting* b) {
    if (a->ticket.priority != b->ticket.priority) return a->ticket.priority > b->ticket.priority;
    if (a->start_tag != b->start_tag) return a->start_tag < b->start_tag;
    if (a->ticket.deadline != b->ticket.deadline) return a->ticket.deadline < b->ticket.deadline;
    return a->arrival < b->arrival;
  });
  std::vector<uint64_t> ids;
  ids.reserve(entries.size());
  for (const Waiting* entry : entries) ids.push_back(entry->ticket.id);
  return ids;
}

const Ticket* FairQueue::find(uint64_t id) const {
  const auto found = waiting_.find(id);
  return found == waiting_.end() ? nullptr : &found->second.ticket;
}

void FairQueue::take(uint64_t id) {
  const auto found = waiting_.find(id);
  if (found == waiting_.end()) return;
  double& now = virtual_time_[found->second.ticket.priority];
  now = std::max(now, found->second.start_tag);
  remove(id);
}

}  // namespace sluice::valve
