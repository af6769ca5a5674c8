// A multipart/form-data body (RFC 7578), cut into its parts. Strict: a body that does not begin
// with its boundary, or lacks the closing one, is an error.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::testbed {

struct FormPart {
  std::string name;
  std::string file_name;  // empty: a plain field
  std::string content_type;
  std::string_view bytes;  // within the body
};

struct Form {
  std::string boundary;
  std::vector<FormPart> parts;

  const FormPart* find(std::string_view name) const;
  std::string text(std::string_view name) const;  // of a plain field; empty if absent
};

// An error text for people. `content_type` is the header's value.
std::optional<std::string> read_form(std::string_view content_type, std::string_view body,
                                     Form* form);

std::string sha256_hex(std::string_view bytes);
std::string base64(std::string_view bytes);

// What arrived: boundary, plain fields, and of each file its name, type, size and SHA-256.
nlohmann::json told(const Form& form);

}  // namespace sluice::testbed
