#include "tests/testbed/multipart.h"

#include <fmt/format.h>
#include <sodium.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace sluice::testbed {

namespace {

constexpr std::size_t kMaxParts = 64;

// `key="value"` or `key=value` of a header's parameters.
std::string parameter(std::string_view field, std::string_view key) {
  const std::string wanted = fmt::format("{}=", key);
  for (std::size_t at = field.find(';'); at != std::string_view::npos; at = field.find(';', at)) {
    at = field.find_first_not_of("; \t", at);
    if (at == std::string_view::npos) break;
    if (!field.substr(at).starts_with(wanted)) continue;
    std::string_view value = field.substr(at + wanted.size());
    if (value.starts_with('"')) return std::string(value.substr(1, value.find('"', 1) - 1));
    return std::string(value.substr(0, value.find_first_of("; \t")));
  }
  return {};
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return result;
}

void read_part_field(std::string_view line, FormPart* part) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return;
  const std::string name = lower(line.substr(0, colon));
  std::string_view value = line.substr(colon + 1);
  value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
  if (name == "content-disposition") {
    part->name = parameter(value, "name");
    part->file_name = parameter(value, "filename");
  } else if (name == "content-type") {
    part->content_type = value;
  }
}

std::optional<std::string> read_part(std::string_view text, Form* form) {
  const std::size_t head = text.find("\r\n\r\n");
  if (head == std::string_view::npos) return "a part has no end of its head";
  FormPart part;
  std::string_view lines = text.substr(0, head);
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find("\r\n"));
    read_part_field(line, &part);
    lines.remove_prefix(std::min(lines.size(), line.size() + 2));
  }
  if (part.name.empty()) return "a part has no name";
  part.bytes = text.substr(head + 4);
  form->parts.push_back(std::move(part));
  if (form->parts.size() > kMaxParts) return "too many parts";
  return std::nullopt;
}

}  // namespace

const FormPart* Form::find(std::string_view name) const {
  for (const FormPart& part : parts) {
    if (part.name == name) return &part;
  }
  return nullptr;
}

std::string Form::text(std::string_view name) const {
  const FormPart* const part = find(name);
  return part == nullptr ? std::string() : std::string(part->bytes);
}

std::optional<std::string> read_form(std::string_view content_type, std::string_view body,
                                     Form* form) {
  if (!lower(content_type).starts_with("multipart/form-data")) {
    return "the body is not multipart/form-data";
  }
  form->boundary = parameter(content_type, "boundary");
  if (form->boundary.empty()) return "the content type names no boundary";
  const std::string first = fmt::format("--{}", form->boundary);
  const std::string between = "\r\n" + first;
  if (!body.starts_with(first)) return "the body does not begin with its boundary";
  body.remove_prefix(first.size());
  while (body.starts_with("\r\n")) {
    body.remove_prefix(2);
    const std::size_t end = body.find(between);
    if (end == std::string_view::npos) return "the closing boundary is missing";
    if (auto error = read_part(body.substr(0, end), form)) return error;
    body.remove_prefix(end + between.size());
  }
  if (!body.starts_with("--")) return "what follows a boundary is not a part";
  return std::nullopt;
}

std::string sha256_hex(std::string_view bytes) {
  unsigned char hash[crypto_hash_sha256_BYTES];
  crypto_hash_sha256(hash, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  std::string text;
  for (const unsigned char byte : hash) text += fmt::format("{:02x}", byte);
  return text;
}

std::string base64(std::string_view bytes) {
  const std::size_t room = sodium_base64_encoded_len(bytes.size(), sodium_base64_VARIANT_ORIGINAL);
  std::string text(room, '\0');
  sodium_bin2base64(text.data(), room, reinterpret_cast<const unsigned char*>(bytes.data()),
                    bytes.size(), sodium_base64_VARIANT_ORIGINAL);
  text.resize(room - 1);
  return text;
}

nlohmann::json told(const Form& form) {
  nlohmann::json fields = nlohmann::json::object();
  nlohmann::json files = nlohmann::json::array();
  for (const FormPart& part : form.parts) {
    if (part.file_name.empty()) {
      fields[part.name] = std::string(part.bytes);
      continue;
    }
    files.push_back({{"field", part.name},
                     {"name", part.file_name},
                     {"type", part.content_type},
                     {"bytes", part.bytes.size()},
                     {"sha256", sha256_hex(part.bytes)}});
  }
  return {{"boundary", form.boundary}, {"fields", fields}, {"files", files}};
}

}  // namespace sluice::testbed
