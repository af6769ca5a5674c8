#include "firmware/upstream/messages_blocks.h"

#include <fmt/format.h>

namespace sluice::upstream {

namespace {

using ports::JsonValue;

std::string element(const std::string& field, size_t index) {
  return fmt::format("{}[{}]", field, index);
}

Result<std::string> required_text(const JsonValue& block, const char* key,
                                  const std::string& field) {
  const JsonValue* value = block.find(key);
  if (value == nullptr || value->as_text() == nullptr) {
    return untranslatable(fmt::format("{}.{}", field, key), "must be a string");
  }
  return *value->as_text();
}

JsonValue text_part(std::string text) {
  return JsonValue::object({{"type", "text"}, {"text", std::move(text)}});
}

Result<JsonValue> image_part(const JsonValue& block, const std::string& field) {
  const JsonValue* source = block.find("source");
  const std::string at = field + ".source";
  if (source == nullptr) return untranslatable(at, "is missing");
  std::string url;
  if (source->text("type") == "base64") {
    Result<std::string> media = required_text(*source, "media_type", at);
    if (!media) return media.error();
    const Result<std::string> bytes = required_text(*source, "data", at);
    if (!bytes) return bytes.error();
    url = fmt::format("data:{};base64,{}", *media, *bytes);
  } else if (source->text("type") == "url") {
    Result<std::string> given = required_text(*source, "url", at);
    if (!given) return given.error();
    url = std::move(*given);
  } else {
    return untranslatable(at + ".type", "must be \"base64\" or \"url\" here");
  }
  return JsonValue::object(
      {{"type", "image_url"}, {"image_url", JsonValue::object({{"url", std::move(url)}})}});
}

Error unknown_block(const JsonValue& block, const std::string& field) {
  return untranslatable(
      field + ".type",
      fmt::format("\"{}\" is understood only by nodes that speak /v1/messages themselves",
                  block.text("type")));
}

// A user's message: results of tools become messages of their own, before what else it says.
class UserTurn {
 public:
  UserTurn(const std::string& field, JsonValue& out) : field_(field), out_(out) {}

  Result<void> take(const JsonValue::Array& blocks) {
    for (size_t i = 0; i < blocks.size(); ++i) {
      const std::string field = element(field_, i);
      if (Result<void> ok = take_block(blocks[i], field); !ok) return ok;
    }
    if (parts_.empty()) return {};
    out_.push(JsonValue::object({{"role", "user"}, {"content", content()}}));
    return {};
  }

 private:
  Result<void> take_block(const JsonValue& block, const std::string& field) {
    const std::string_view type = block.text("type");
    if (type == "text") {
      Result<std::string> text = required_text(block, "text", field);
      if (!text) return text.error();
      parts_.push_back(text_part(std::move(*text)));
      return {};
    }
    if (type == "image") {
      Result<JsonValue> part = image_part(block, field);
      if (!part) return part.error();
      parts_.push_back(std::move(*part));
      return {};
    }
    if (type == "tool_result") return take_result(block, field);
    return unknown_block(block, field);
  }

  Result<void> take_result(const JsonValue& block, const std::string& field) {
    Result<std::string> id = required_text(block, "tool_use_id", field);
    if (!id) return id.error();
    std::string text = block.boolean("is_error") ? "Error: " : "";
    const JsonValue* content = block.find("content");
    if (content != nullptr && content->as_text() != nullptr) {
      text += *content->as_text();
    } else if (content != nullptr && content->as_array() != nullptr) {
      if (Result<void> ok = take_parts(*content->as_array(), field + ".content", text); !ok) {
        return ok;
      }
    } else if (content != nullptr && !content->is_null()) {
      return untranslatable(field + ".content", "must be a string or a list of blocks");
    }
    out_.push(JsonValue::object(
        {{"role", "tool"}, {"tool_call_id", std::move(*id)}, {"content", std::move(text)}}));
    return {};
  }

  Result<void> take_parts(const JsonValue::Array& blocks, const std::string& field,
                          std::string& text) {
    for (size_t i = 0; i < blocks.size(); ++i) {
      const std::string at = element(field, i);
      if (blocks[i].text("type") == "image") {
        Result<JsonValue> part = image_part(blocks[i], at);
        if (!part) return part.error();
        parts_.push_back(std::move(*part));
        continue;
      }
      if (blocks[i].text("type") != "text") return unknown_block(blocks[i], at);
      const Result<std::string> more = required_text(blocks[i], "text", at);
      if (!more) return more.error();
      if (i > 0 && !text.empty()) text += "\n";
      text += *more;
    }
    return {};
  }

  // Words alone are a string: what every engine reads.
  JsonValue content() {
    if (parts_.size() == 1 && parts_[0].text("type") == "text") {
      return JsonValue(parts_[0].text("text"));
    }
    return JsonValue(std::move(parts_));
  }

  std::string field_;
  JsonValue& out_;
  JsonValue::Array parts_;
};

Result<JsonValue> tool_call(const JsonValue& block, const std::string& field) {
  Result<std::string> id = required_text(block, "id", field);
  if (!id) return id.error();
  Result<std::string> name = required_text(block, "name", field);
  if (!name) return name.error();
  const JsonValue* input = block.find("input");
  if (input == nullptr || input->as_object() == nullptr) {
    return untranslatable(field + ".input", "must be an object");
  }
  return JsonValue::object({{"id", std::move(*id)},
                            {"type", "function"},
                            {"function", JsonValue::object({{"name", std::move(*name)},
                                                            {"arguments", to_json(*input)}})}});
}

Result<JsonValue> assistant_message(const JsonValue::Array& blocks, const std::string& field) {
  std::string text;
  JsonValue calls = JsonValue::array();
  for (size_t i = 0; i < blocks.size(); ++i) {
    const std::string at = element(field, i);
    const std::string_view type = blocks[i].text("type");
    if (type == "thinking" || type == "redacted_thinking") continue;
    if (type == "text") {
      const Result<std::string> more = required_text(blocks[i], "text", at);
      if (!more) return more.error();
      text += *more;
    } else if (type == "tool_use") {
      Result<JsonValue> call = tool_call(blocks[i], at);
      if (!call) return call.error();
      calls.push(std::move(*call));
    } else {
      return unknown_block(blocks[i], at);
    }
  }
  JsonValue message = JsonValue::object({{"role", "assistant"}});
  const bool only_calls = text.empty() && !calls.as_array()->empty();
  message.add("content", only_calls ? JsonValue() : JsonValue(std::move(text)));
  if (!calls.as_array()->empty()) message.add("tool_calls", std::move(calls));
  return message;
}

}  // namespace

Error untranslatable(std::string_view field, std::string_view why) {
  return {ErrorKind::refused, "body", fmt::format("\"{}\" {}", field, why)};
}

Result<std::string> joined_text(const JsonValue& content, const std::string& field) {
  if (content.as_text() != nullptr) return *content.as_text();
  if (content.as_array() == nullptr) {
    return untranslatable(field, "must be a string or a list of blocks");
  }
  std::string text;
  for (size_t i = 0; i < content.as_array()->size(); ++i) {
    const JsonValue& block = (*content.as_array())[i];
    if (block.text("type") != "text") return unknown_block(block, element(field, i));
    const Result<std::string> more = required_text(block, "text", element(field, i));
    if (!more) return more.error();
    if (i > 0) text += "\n";
    text += *more;
  }
  return text;
}

Result<void> append_chat_messages(const JsonValue& message, const std::string& field,
                                  JsonValue& out) {
  const std::string role(message.text("role"));
  if (role != "user" && role != "assistant" && role != "system") {
    return untranslatable(field + ".role", "must be \"user\" or \"assistant\"");
  }
  const JsonValue* content = message.find("content");
  const std::string at = field + ".content";
  if (content == nullptr) return untranslatable(at, "is missing");
  if (content->as_text() != nullptr || role == "system") {
    Result<std::string> text = joined_text(*content, at);
    if (!text) return text.error();
    out.push(JsonValue::object({{"role", role}, {"content", std::move(*text)}}));
    return {};
  }
  if (content->as_array() == nullptr) {
    return untranslatable(at, "must be a string or a list of blocks");
  }
  if (role == "user") return UserTurn(at, out).take(*content->as_array());
  Result<JsonValue> said = assistant_message(*content->as_array(), at);
  if (!said) return said.error();
  out.push(std::move(*said));
  return {};
}

}  // namespace sluice::upstream
