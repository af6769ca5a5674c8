#include "firmware/web/command_call.h"

#include <fmt/format.h>

#include <algorithm>

#include "firmware/base/check.h"
#include "firmware/base/text.h"
#include "firmware/web/answers.h"
#include "firmware/web/tunnel_json.h"

namespace sluice::web {

using ports::JsonValue;

namespace {

constexpr const char* kWhere = "web";
constexpr int64_t kCalibrationNumberMax =
    1'000'000;  // of any of its bounds; who runs it has closer ones

}  // namespace

Refusal body_too_large() {
  return {413, fmt::format("the request's body is larger than {} bytes", kCommandBodyMax), ""};
}

CommandCall::CommandCall(const WebWorld& world, Route route, Query query, std::string author,
                         ports::HttpAnswer& answer)
    : world_(world),
      route_(std::move(route)),
      query_(std::move(query)),
      author_(std::move(author)),
      answer_(answer) {}

CommandCall::~CommandCall() {
  if (waiting_) waiting_->call = nullptr;
}

void CommandCall::move_to(State state) {
  ENSURE(state_ != State::done && state != State::collecting);
  state_ = state;
}

void CommandCall::on_body(std::string_view bytes) {
  if (state_ != State::collecting) return;
  if (bytes.size() > kCommandBodyMax - body_.size()) {
    move_to(State::done);
    return send_refusal(answer_, body_too_large());
  }
  body_.append(bytes);
}

void CommandCall::on_body_end() {
  if (state_ != State::collecting) return;
  const Result<JsonValue> body = body_object();
  if (!body) return finish_error(body.error());
  run(*body);
}

void CommandCall::on_client_gone() {
  if (state_ != State::done) move_to(State::done);
  if (waiting_) waiting_->call = nullptr;
}

Result<JsonValue> CommandCall::body_object() const {
  if (trim(body_).empty()) return JsonValue(JsonValue::Object{});
  Result<JsonValue> body = ports::parse_json(body_);
  if (!body) {
    return Error{ErrorKind::refused, kWhere, "the body is not JSON: " + body.error().text};
  }
  if (body->as_object() == nullptr) {
    return Error{ErrorKind::refused, kWhere, "the body must be a JSON object"};
  }
  return body;
}

// The request may name who it is for: in the body, or ?author= where there is none.
std::string CommandCall::author_in(const JsonValue& body) const {
  std::string_view author = body.text("author");
  if (author.empty()) author = query_.get("author");
  return author.empty() ? author_ : std::string(author);
}

void CommandCall::run(const JsonValue& body) {
  switch (route_.action) {
    case Action::list_keys:
      return list_keys();
    case Action::add_key:
      return add_key(body);
    case Action::revoke_key:
      return revoke_key();
    case Action::print_settings:
      return print_settings();
    case Action::set_setting:
      return set_setting(body);
    case Action::unset_setting:
      return finish(world_.box.unset_setting(route_.name, author_in(body)));
    case Action::reload:
      return finish(world_.box.reload(author_in(body)));
    case Action::upgrade:
      return upgrade(body);
    case Action::show_usage:
      return show_usage();
    case Action::calibrate:
      return calibrate(body);
    case Action::show_calibration:
      return show_calibration();
    case Action::stop_calibration:
      return finish(world_.calibration.stop_calibration(author_in(body)));
    case Action::command_tunnel:
      return command_tunnel(body);
    case Action::show_tunnel:
    case Action::show_status:
    case Action::show_decisions:
    case Action::follow_events:
    case Action::show_shadow:
      break;
  }
  ENSURE(is_command(route_.action));
}

void CommandCall::list_keys() {
  JsonValue keys = JsonValue::array();
  for (const identity::ApiKey& key : world_.keys.list()) keys.push(identity::key_as_json(key));
  finish_json(200, JsonValue::object({{"keys", std::move(keys)}}));
}

void CommandCall::add_key(const JsonValue& body) {
  const Result<identity::KeySpec> spec = identity::parse_key_spec(body);
  if (!spec) return finish_error(spec.error());
  const Result<identity::NewKey> made = world_.keys.add(*spec);
  if (!made) return finish_error(made.error());
  JsonValue key = identity::key_as_json(made->key);
  key.add("secret", made->secret);
  finish_json(201, key);
}

void CommandCall::revoke_key() {
  const Result<identity::ApiKey> key = world_.keys.revoke(route_.name);
  if (!key) return finish_error(key.error());
  finish_json(200, identity::key_as_json(*key));
}

void CommandCall::print_settings() {
  const Result<bool> origin = query_.flag("origin");
  if (!origin) return finish_error(origin.error());
  move_to(State::done);
  send_text(answer_, 200, "text/yaml; charset=utf-8", world_.box.print_settings(*origin));
}

void CommandCall::set_setting(const JsonValue& body) {
  const JsonValue* value = body.find("value");
  if (value == nullptr) {
    return finish_error(
        {ErrorKind::refused, kWhere,
         "the body must be {\"value\": ..., \"author\": \"...\"}; value is missing"});
  }
  finish(world_.box.set_setting(route_.name, ports::to_json(*value), author_in(body)));
}

void CommandCall::show_usage() {
  const Result<UsageQuery> query = usage_query(query_);
  if (!query) return finish_error(query.error());
  move_to(State::running);
  waiting_ = std::make_shared<Waiting>(Waiting{this});
  world_.box.usage(*query, [waiting = waiting_](const Result<UsageText>& usage) {
    if (waiting->call != nullptr) waiting->call->on_usage(usage);
  });
}

void CommandCall::on_usage(const Result<UsageText>& usage) {
  if (state_ != State::running) return;
  if (!usage) return finish_error(usage.error());
  move_to(State::done);
  send_text(answer_, 200, usage->content_type, usage->text);
}

void CommandCall::upgrade(const JsonValue& body) {
  move_to(State::running);
  waiting_ = std::make_shared<Waiting>(Waiting{this});
  world_.box.upgrade(author_in(body), [waiting = waiting_](const Result<int>& process) {
    if (waiting->call != nullptr) waiting->call->on_upgrade(process);
  });
}

void CommandCall::on_upgrade(const Result<int>& process) {
  if (state_ != State::running) return;
  if (!process) return finish_error(process.error());
  finish_json(200, JsonValue::object({{"ok", true}, {"process", *process}}));
}

void CommandCall::calibrate(const JsonValue& body) {
  CalibrationWish wish;
  wish.node = body.text("node");
  wish.model = body.text("model");
  wish.quick = body.boolean("quick");
  wish.now = body.boolean("now");
  const auto whole = [&body](const char* name) {
    return std::clamp<int64_t>(body.integer(name), 0, kCalibrationNumberMax);
  };
  wish.concurrency_max = static_cast<int>(whole("concurrency_max"));
  wish.minutes_max = static_cast<int>(whole("minutes_max"));
  wish.prompt_tokens = whole("prompt_tokens");
  wish.output_tokens = whole("output_tokens");
  finish(world_.calibration.calibrate(wish, author_in(body)));
}

void CommandCall::show_calibration() {
  move_to(State::done);
  send_text(answer_, 200, kJsonType, world_.calibration.calibration());
}

void CommandCall::command_tunnel(const JsonValue& body) {
  const std::string author = author_in(body);
  const std::string& command = route_.name;
  move_to(State::running);
  waiting_ = std::make_shared<Waiting>(Waiting{this});
  const auto done = [waiting = waiting_](const Result<void>& result) {
    if (waiting->call != nullptr) waiting->call->on_tunnel(result);
  };
  tunnel::TunnelCommands& tunnels = world_.tunnel_commands;
  if (command == "join") {
    return tunnels.join({std::string(body.text("url")), std::string(body.text("token")),
                         std::string(body.text("ca_file"))},
                        author, done);
  }
  if (command == "import") return tunnels.import(body.text("configuration"), author, done);
  if (command == "rotate") return tunnels.rotate(author, done);
  if (command == "leave") return tunnels.leave(author, done);
  if (command == "rehearse") {
    return tunnels.drill(author, [waiting = waiting_](const Result<tunnel::DrillReport>& report) {
      if (waiting->call != nullptr) waiting->call->on_drill(report);
    });
  }
  finish_error({ErrorKind::refused, kWhere,
                "there is no such command; write join, import, rotate, leave or rehearse"});
}

void CommandCall::on_tunnel(const Result<void>& result) {
  if (state_ != State::running) return;
  finish(result);
}

void CommandCall::on_drill(const Result<tunnel::DrillReport>& report) {
  if (state_ != State::running) return;
  if (!report) return finish_error(report.error());
  finish_json(200, drill_value(*report));
}

void CommandCall::finish(const Result<void>& result) {
  if (!result) return finish_error(result.error());
  finish_json(200, JsonValue::object({{"ok", true}}));
}

void CommandCall::finish_json(int status, const JsonValue& value) {
  move_to(State::done);
  send_text(answer_, status, kJsonType, ports::to_json(value));
}

void CommandCall::finish_error(const Error& error) {
  move_to(State::done);
  send_error(answer_, error);
}

}  // namespace sluice::web
