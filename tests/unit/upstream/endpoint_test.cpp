#include "firmware/upstream/endpoint.h"

#include <doctest/doctest.h>

#include <set>
#include <string>

#include "firmware/settings/settings.h"

namespace sluice::upstream {

TEST_CASE("endpoint: paths, words and names are found again and used once") {
  std::set<std::string> seen;
  for (const EndpointFacts& facts : all_endpoints()) {
    CAPTURE(std::string(facts.path));
    CHECK(endpoint_at(facts.path) == facts.endpoint);
    CHECK(endpoint_from_word(facts.word) == facts.endpoint);
    CHECK(&facts_of(facts.endpoint) == &facts);
    CHECK(std::string(facts.path).starts_with("/v1/"));
    for (const std::string& text : {std::string("p") + facts.path, std::string("w") + facts.word,
                                    std::string("n") + facts.ledger_name}) {
      CHECK(seen.insert(text).second);
    }
  }
  CHECK(all_endpoints().size() == kEndpointCount);
  CHECK_FALSE(endpoint_at("/v1/chat/completions/"));
  CHECK_FALSE(endpoint_at("/v1"));
  CHECK_FALSE(endpoint_from_word(""));
}

TEST_CASE("endpoint: settings know the same words") {
  std::set<std::string> words;
  for (const settings::NodeEndpoint endpoint : settings::all_of(settings::NodeEndpoint{})) {
    CAPTURE(std::string(settings::to_text(endpoint)));
    CHECK(endpoint_from_word(settings::to_text(endpoint)));
    words.insert(settings::to_text(endpoint));
  }
  CHECK(words.size() == kEndpointCount);
}

TEST_CASE("endpoint: a set has what was added") {
  EndpointSet set;
  CHECK(set.is_empty());
  set.add(Endpoint::image_variations);
  set.add(Endpoint::chat_completions);
  CHECK(set.has(Endpoint::image_variations));
  CHECK_FALSE(set.has(Endpoint::responses));
  set.remove(Endpoint::image_variations);
  CHECK_FALSE(set.has(Endpoint::image_variations));
  for (const EndpointFacts& facts : all_endpoints()) {
    CHECK(EndpointSet::all().has(facts.endpoint));
    set.add(facts.endpoint);
  }
  CHECK(set == EndpointSet::all());
}

}  // namespace sluice::upstream
