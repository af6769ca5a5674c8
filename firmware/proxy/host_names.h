// The names by which clients may call the box (RFC 9110 section 7.4): the defence against DNS
// rebinding, where a web page makes a name of its own mean the box's address and then asks with
// the reader's browser. An address is never such a name, nor is one that nobody can register.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sluice::proxy {

struct HostNames {
  std::vector<std::string> names;  // further ones: "box.example.com", "*.example.com", "*" = any
  std::string own;                 // the machine's; may be empty
};

// `host` as a Host field has it, port and all.
bool is_called(std::string_view host, const HostNames& names);

}  // namespace sluice::proxy
