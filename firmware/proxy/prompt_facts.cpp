#include "firmware/proxy/prompt_facts.h"

#include <algorithm>
#include <string>

#include "firmware/upstream/prompt_look.h"

namespace sluice::proxy {

namespace {

// Of others each text stands for itself, or is cut by the engine.
bool is_one_prompt(upstream::Endpoint endpoint) {
  return endpoint == upstream::Endpoint::chat_completions ||
         endpoint == upstream::Endpoint::completions || endpoint == upstream::Endpoint::responses ||
         endpoint == upstream::Endpoint::messages;
}

struct Looking {
  upstream::PromptLook look;
  sense::MarkMaker marks;
};

Result<void> feed(const ports::HttpBody& body, upstream::BodyRange range, bool is_messages,
                  Looking& looking) {
  std::string buffer;
  const size_t end = range.begin + std::min(range.size, kPromptLookMax);
  for (size_t at = range.begin; at < end;) {
    const Result<std::string_view> read = body.at(at, buffer);
    if (!read) return read.error();
    const std::string_view piece = read->substr(0, end - at);
    looking.marks.feed(piece);
    if (is_messages) looking.look.feed(piece);
    at += piece.size();
  }
  return {};
}

}  // namespace

Result<PromptFacts> look_at_prompt(const ports::HttpBody& body, const upstream::RequestBody& read,
                                   upstream::Endpoint endpoint) {
  PromptFacts facts;
  facts.bytes = read.prompt_bytes;
  if (!is_one_prompt(endpoint)) return facts;
  facts.has_context = read.previous_response.empty();
  Looking looking{{}, sense::MarkMaker(read.model)};
  // In the order in which chat templates put them before the model.
  for (const upstream::BodyRange& range : {read.tools, read.system}) {
    if (Result<void> ok = feed(body, range, false, looking); !ok) return ok.error();
  }
  if (Result<void> ok = feed(body, read.prompt, true, looking); !ok) return ok.error();
  if (read.tools.size > 0) facts.needs.add(valve::Feature::tools);
  if (read.wants_schema) facts.needs.add(valve::Feature::structured_output);
  if (looking.look.has_images()) facts.needs.add(valve::Feature::vision);
  if (looking.look.has_audio()) facts.needs.add(valve::Feature::audio);
  const size_t looked = std::max<size_t>(1, std::min(read.prompt.size, kPromptLookMax));
  const double part =
      static_cast<double>(looking.look.bytes_beyond_worth()) / static_cast<double>(looked);
  const auto beyond = static_cast<size_t>(part * static_cast<double>(read.prompt.size));
  facts.bytes -= std::min(facts.bytes, beyond);
  facts.marks = looking.marks.take();
  return facts;
}

}  // namespace sluice::proxy
