// An HttpClient whose calls are answered by the test, step by step.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <string_view>

#include "firmware/base/check.h"
#include "firmware/ports/http_client.h"

namespace sluice::script {

// One call as the test sees it. Lifetime: the client's; the exchange holds only a handle.
class NodeCall {
 public:
  enum class End { none, complete, failed, cancelled };

  ports::HttpCallSpec spec;
  bool paused = false;

  bool is_live() const { return end_ == End::none; }
  End how_it_ended() const { return end_; }
  std::string sent_body() const {
    return *ports::read_range(*spec.body, 0, static_cast<size_t>(spec.body->size()));
  }
  const std::string& passed() const { return passed_; }  // body bytes given to the sink
  int status() const { return status_; }                 // 0: no head yet

  void head(int status, std::initializer_list<ports::HttpField> fields) {
    ENSURE(is_live() && status_ == 0);
    status_ = status;
    ports::HttpResponseHead head;
    head.status = status;
    for (const ports::HttpField& field : fields) head.fields.add(field.name, field.value);
    if (const std::string* length = head.fields.find("content-length")) {
      head.content_length = static_cast<uint64_t>(*to_integer(*length));
    }
    sink_->on_head(head);
  }
  void stream_head() { head(200, {{"content-type", "text/event-stream"}}); }
  void body(std::string_view bytes) {
    ENSURE(is_live() && status_ != 0);
    passed_.append(bytes);
    sink_->on_body(bytes);
  }
  void end() {
    ENSURE(is_live() && status_ != 0);
    end_ = End::complete;
    sink_->on_end();
  }
  void fail(ports::HttpFailure::Stage stage, bool reused = false, bool timed_out = false) {
    ENSURE(is_live());
    end_ = End::failed;
    const Error error{ErrorKind::gone, "script", timed_out ? "no byte in time" : "broken pipe"};
    sink_->on_fail({error, stage, reused, timed_out});
  }
  // A whole answer at once.
  void answer(int status, std::string_view text, std::string_view type = "application/json") {
    head(status,
         {{"content-type", std::string(type)}, {"content-length", std::to_string(text.size())}});
    if (is_live() && !text.empty()) body(text);
    if (is_live()) end();
  }

 private:
  friend class ScriptedClient;
  struct Handle : ports::HttpCall {
    explicit Handle(NodeCall& of) : call(of) {}
    ~Handle() override {
      if (call.end_ == End::none) call.end_ = End::cancelled;
    }
    void pause() override { call.paused = true; }
    void resume() override { call.paused = false; }
    NodeCall& call;
  };

  ports::HttpCallSink* sink_ = nullptr;
  End end_ = End::none;
  int status_ = 0;
  std::string passed_;
};

class ScriptedClient : public ports::HttpClient {
 public:
  std::unique_ptr<ports::HttpCall> call(ports::HttpCallSpec spec,
                                        ports::HttpCallSink& sink) override {
    NodeCall& call = calls_.emplace_back();
    call.spec = std::move(spec);
    call.sink_ = &sink;
    return std::make_unique<NodeCall::Handle>(call);
  }
  size_t count() const { return calls_.size(); }
  NodeCall& last() {
    ENSURE(!calls_.empty());
    return calls_.back();
  }
  std::deque<NodeCall>& calls() { return calls_; }  // a deque: references hold

 private:
  std::deque<NodeCall> calls_;
};

}  // namespace sluice::script
