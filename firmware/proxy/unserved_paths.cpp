#include "firmware/proxy/unserved_paths.h"

#include <fmt/format.h>

#include <array>

namespace sluice::proxy {

namespace {

struct Unserved {
  std::string_view path;  // and all below it
  std::string_view words;
};

constexpr std::array<Unserved, 17> kUnserved = {{
    {"/v1/responses",
     "stored responses are not handed out by this box; keep the answer, or go on from it with "
     "previous_response_id"},
    {"/v1/batches", "batches are not available on this box; send the requests one by one"},
    {"/v1/messages/batches", "batches are not available on this box; send the messages one by one"},
    {"/v1/files", "this box keeps no files; send their content within the request"},
    {"/v1/uploads", "this box keeps no files; send their content within the request"},
    {"/v1/fine_tuning", "fine-tuning is not available on this box; train elsewhere, serve it here"},
    {"/v1/assistants", "assistants are not available on this box; use /v1/responses"},
    {"/v1/threads", "threads are not available on this box; use /v1/responses"},
    {"/v1/conversations",
     "conversations are not kept on this box; send the whole conversation in \"input\""},
    {"/v1/vector_stores", "this box keeps no vector stores; use /v1/embeddings with one of yours"},
    {"/v1/realtime", "realtime sessions are not available on this box; use /v1/audio and streams"},
    {"/v1/moderations", "moderation is not available on this box; ask a model for it"},
    {"/v1/evals", "evaluations are not available on this box; run them as a client"},
    {"/v1/containers", "containers are not available on this box; run code in your application"},
    {"/v1/videos", "videos are not available on this box"},
    {"/v1/complete", "text completions of the old kind are not available; use /v1/messages"},
    {"/v1/engines", "engines were replaced by models; use /v1/models"},
}};

bool is_at_or_below(std::string_view path, std::string_view top) {
  return path.starts_with(top) && (path.size() == top.size() || path[top.size()] == '/');
}

}  // namespace

std::optional<ApiError> unserved(std::string_view path) {
  for (const Unserved& entry : kUnserved) {
    if (!is_at_or_below(path, entry.path)) continue;
    return ApiError{501,  "invalid_request_error", "not_available", std::string(entry.words), {},
                    false};
  }
  return std::nullopt;
}

}  // namespace sluice::proxy
