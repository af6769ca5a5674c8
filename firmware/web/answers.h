// Whole answers of the page and of the command interface, with the headers that keep a browser
// from doing anything else with them.
#pragma once

#include <string_view>

#include "firmware/base/result.h"
#include "firmware/ports/http_service.h"
#include "firmware/web/door.h"
#include "firmware/web/page_files.h"

namespace sluice::web {

inline constexpr std::string_view kJsonType = "application/json";

// The headers of every answer.
ports::HttpFields answer_fields(std::string_view content_type, std::string_view cache_control);

void send_text(ports::HttpAnswer& answer, int status, std::string_view content_type,
               std::string_view text);
// {"error":{"message":...}}
void send_refusal(ports::HttpAnswer& answer, const Refusal& refusal);
void send_error(ports::HttpAnswer& answer, const Error& error);
// 304 if the browser has this very file.
void send_file(ports::HttpAnswer& answer, const PageFile& file, const ports::HttpFields& asked);

int status_of(ErrorKind kind);

// An exchange that was answered when its head was read.
class Answered : public ports::HttpActivity {
 public:
  void on_body(std::string_view) override {}
  void on_body_end() override {}
  void on_client_gone() override {}
  void on_drained() override {}
};

}  // namespace sluice::web
