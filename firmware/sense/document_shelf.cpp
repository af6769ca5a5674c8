#include "firmware/sense/document_shelf.h"

#include <utility>

namespace sluice::sense {

DocumentShelf::DocumentShelf(const DriverFacts& facts)
    : facts_(facts), papers_(facts.documents.size()) {}

void DocumentShelf::put(size_t document, std::string_view body, Instant now) {
  Paper& paper = papers_[document];
  paper.json.reset();
  paper.at = now;
  Result<ports::JsonValue> json = ports::parse_json(body);
  if (json) paper.json = std::move(*json);
}

void DocumentShelf::forget_all() {
  for (Paper& paper : papers_) paper.json.reset();
}

Answers DocumentShelf::answers(Duration age_max, Instant now) const {
  Answers answers;
  for (size_t i = 0; i < papers_.size(); ++i) {
    const Paper& paper = papers_[i];
    const DocumentSource& source = facts_.documents[i];
    if (!paper.json || (source.at_scrape_pace && now - paper.at > age_max)) continue;
    answers.documents.push_back({source.path, &*paper.json, paper.at, !source.at_scrape_pace});
  }
  return answers;
}

}  // namespace sluice::sense
