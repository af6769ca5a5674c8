// The messages of a /v1/messages request, block by block, as messages of chat completions.
#pragma once

#include <string>
#include <string_view>

#include "firmware/base/result.h"
#include "firmware/ports/json.h"

namespace sluice::upstream {

// An error that names the field, as the client wrote it: "messages[2].content[0].type".
Error untranslatable(std::string_view field, std::string_view why);

// The text of a string or of a list of text blocks, one under the other.
Result<std::string> joined_text(const ports::JsonValue& content, const std::string& field);

// Appends what `message` is in chat completions: one message or several.
Result<void> append_chat_messages(const ports::JsonValue& message, const std::string& field,
                                  ports::JsonValue& out);

}  // namespace sluice::upstream
