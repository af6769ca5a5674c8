// HTTP/1.1 messages as values (RFC 9112). Field names compare without case; order is kept.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/base/text.h"

namespace sluice::ports {

struct HttpField {
  std::string name;
  std::string value;
};

class HttpFields {
 public:
  const std::string* find(std::string_view name) const {
    for (const HttpField& field : fields_) {
      if (equal_ignoring_case(field.name, name)) return &field.value;
    }
    return nullptr;
  }
  std::string_view get(std::string_view name) const {  // empty if absent
    const std::string* value = find(name);
    return value == nullptr ? std::string_view() : std::string_view(*value);
  }
  void add(std::string_view name, std::string_view value) {
    fields_.push_back({std::string(name), std::string(value)});
  }
  void remove(std::string_view name) {
    std::erase_if(fields_, [&](const HttpField& f) { return equal_ignoring_case(f.name, name); });
  }
  void set(std::string_view name, std::string_view value) {
    remove(name);
    add(name, value);
  }
  auto begin() const { return fields_.begin(); }
  auto end() const { return fields_.end(); }
  size_t size() const { return fields_.size(); }
  void reserve(size_t count) { fields_.reserve(count); }

 private:
  std::vector<HttpField> fields_;
};

struct HttpRequestHead {
  std::string method;
  std::string target;  // origin form: path and query, as sent
  int minor_version = 1;
  HttpFields fields;
  bool keep_alive = true;
  bool expects_continue = false;
  bool has_body = false;
  std::optional<uint64_t> content_length;  // nothing: chunked, or no body

  std::string_view path() const { return std::string_view(target).substr(0, target.find('?')); }
  std::string_view query() const {
    const size_t at = target.find('?');
    return at == std::string::npos ? std::string_view() : std::string_view(target).substr(at + 1);
  }
};

struct HttpResponseHead {
  int status = 200;
  HttpFields fields;
  bool keep_alive = true;                  // read side: may the connection be used again?
  std::optional<uint64_t> content_length;  // nothing: chunked or until close
};

std::string_view reason_phrase(int status);  // "OK" for 200; "Status" for an unknown one

}  // namespace sluice::ports
