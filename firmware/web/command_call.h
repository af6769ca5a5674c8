// One command under way: collects the body, bounded, carries the command out and answers.
// collecting -> running -> done   (running: the usage is being counted, or a new process starts)
//   any -> done                   refused, or the client left: a late result is then dropped
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "firmware/ports/http_service.h"
#include "firmware/ports/json.h"
#include "firmware/web/query.h"
#include "firmware/web/routes.h"
#include "firmware/web/web_world.h"

namespace sluice::web {

inline constexpr size_t kCommandBodyMax = 64 * 1024;

Refusal body_too_large();

class CommandCall : public ports::HttpActivity {
 public:
  // `author`: who it is if the request names nobody.
  CommandCall(const WebWorld& world, Route route, Query query, std::string author,
              ports::HttpAnswer& answer);
  ~CommandCall() override;

  void on_body(std::string_view bytes) override;
  void on_body_end() override;
  void on_client_gone() override;
  void on_drained() override {}

 private:
  enum class State { collecting, running, done };
  // Outlives the call until the result is there; null when nobody waits for it any more.
  struct Waiting {
    CommandCall* call;
  };

  void move_to(State state);
  void run(const ports::JsonValue& body);
  void list_keys();
  void add_key(const ports::JsonValue& body);
  void revoke_key();
  void print_settings();
  void set_setting(const ports::JsonValue& body);
  void show_usage();
  void on_usage(const Result<UsageText>& usage);
  void upgrade(const ports::JsonValue& body);
  void calibrate(const ports::JsonValue& body);
  void show_calibration();
  void command_tunnel(const ports::JsonValue& body);
  void on_tunnel(const Result<void>& result);
  void on_drill(const Result<tunnel::DrillReport>& report);
  void on_upgrade(const Result<int>& process);
  void finish(const Result<void>& result);
  void finish_json(int status, const ports::JsonValue& value);
  void finish_error(const Error& error);
  Result<ports::JsonValue> body_object() const;  // an empty body is an empty object
  std::string author_in(const ports::JsonValue& body) const;

  // Fixed after construction.
  const WebWorld& world_;
  Route route_;
  Query query_;
  std::string author_;
  ports::HttpAnswer& answer_;

  // Changes.
  State state_ = State::collecting;
  std::string body_;
  std::shared_ptr<Waiting> waiting_;
};

}  // namespace sluice::web
