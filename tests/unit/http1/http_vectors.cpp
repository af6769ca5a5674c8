#include "tests/unit/http1/http_vectors.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include "firmware/base/check.h"
#include "firmware/ports/json.h"

namespace sluice::testing {

namespace {

using ports::JsonValue;

JsonValue read_file(const std::string& name) {
  const std::filesystem::path tests =
      std::filesystem::path(__FILE__).parent_path().parent_path().parent_path();
  std::ifstream file(tests / "data" / "http" / (name + ".json"));
  std::stringstream text;
  text << file.rdbuf();
  Result<JsonValue> read = ports::parse_json(text.str());
  ENSURE(read.has_value());
  return *std::move(read);
}

// Each character of the text is one octet, U+0000 to U+00FF.
std::string octets(std::string_view utf8) {
  std::string out;
  for (size_t at = 0; at < utf8.size(); ++at) {
    const auto first = static_cast<unsigned char>(utf8[at]);
    if (first < 0x80) {
      out += utf8[at];
      continue;
    }
    ENSURE((first == 0xc2 || first == 0xc3) && at + 1 < utf8.size());
    out += static_cast<char>((first & 0x03) << 6 | (utf8[++at] & 0x3f));
  }
  return out;
}

std::string piece(const JsonValue& item) {
  if (const std::string* text = item.as_text()) return octets(*text);
  const std::string unit = octets(item.text("repeat"));
  std::string out;
  for (int64_t i = 0; i < item.integer("times"); ++i) out += unit;
  return out;
}

std::string bytes_of(const JsonValue& vector, const JsonValue& file) {
  std::string out;
  if (const std::string_view begin = vector.text("begin"); !begin.empty()) {
    out = octets(file.find("parts")->text(begin));
  }
  const JsonValue* send = vector.find("send");
  ENSURE(send != nullptr);
  if (const JsonValue::Array* items = send->as_array()) {
    for (const JsonValue& item : *items) out += piece(item);
  } else {
    out += piece(*send);
  }
  return out;
}

}  // namespace

std::vector<RequestVector> request_vectors() {
  std::vector<RequestVector> all;
  for (const char* name :
       {"framing", "chunks", "lines", "start_line", "host", "connection", "slow"}) {
    const JsonValue file = read_file(name);
    for (const JsonValue& vector : *file.find("vectors")->as_array()) {
      RequestVector made;
      made.id = vector.text("id");
      made.bytes = bytes_of(vector, file);
      made.accepted = static_cast<int>(vector.integer("accepted"));
      const bool parsers = vector.text("layer", "parser") == "parser";
      const bool slow = std::string_view(name) == "slow";
      const JsonValue* status = vector.find("status");
      made.ends = vector.boolean("end") || !parsers || slow;
      if (status != nullptr && parsers && !slow) {
        for (const JsonValue& one : *status->as_array()) {
          made.statuses.push_back(static_cast<int>(*one.as_integer()));
        }
      }
      all.push_back(std::move(made));
    }
  }
  return all;
}

std::vector<ResponseVector> response_vectors() {
  std::vector<ResponseVector> all;
  const JsonValue file = read_file("upstream");
  for (const JsonValue& vector : *file.find("vectors")->as_array()) {
    ResponseVector made;
    made.id = vector.text("id");
    made.bytes = bytes_of(vector, file);
    made.to_head = vector.boolean("to_head");
    made.good = vector.find("events") != nullptr;
    made.served = vector.boolean("served");
    made.told = vector.text(made.good ? "events" : "fault");
    all.push_back(std::move(made));
  }
  return all;
}

}  // namespace sluice::testing
