#include "firmware/settings/settings.h"

#include <array>

namespace sluice::settings {

const char* to_text(Mode mode) { return mode == Mode::automatic ? "auto" : "off"; }

const char* to_text(Place place) { return place == Place::local ? "local" : "cloud"; }

const char* to_text(DataClass data_class) {
  switch (data_class) {
    case DataClass::open:
      return "open";
    case DataClass::internal:
      return "internal";
    case DataClass::home_only:
      return "home-only";
  }
  return "home-only";
}

const char* to_text(HalfClose half_close) {
  return half_close == HalfClose::keep ? "keep" : "leave";
}

const char* to_text(HostLook look) {
  switch (look) {
    case HostLook::automatic:
      return "auto";
    case HostLook::on:
      return "on";
    case HostLook::off:
      break;
  }
  return "off";
}

const char* to_text(TunnelBackend backend) {
  switch (backend) {
    case TunnelBackend::automatic:
      return "auto";
    case TunnelBackend::kernel:
      return "kernel";
    case TunnelBackend::userspace:
      return "userspace";
  }
  return "";
}

const char* to_text(Traffic traffic) { return traffic == Traffic::bulk ? "bulk" : "interactive"; }

const char* to_text(Goal goal) {
  switch (goal) {
    case Goal::cost:
      return "cost";
    case Goal::balanced:
      return "balanced";
    case Goal::fast:
      return "fast";
    case Goal::green:
      return "green";
    case Goal::home_first:
      return "home-first";
  }
  return "";
}

const char* to_text(Rule rule) {
  switch (rule) {
    case Rule::predict:
      return "predict";
    case Rule::local_only:
      return "local-only";
    case Rule::cloud_only:
      return "cloud-only";
    case Rule::round_robin:
      return "round-robin";
    case Rule::least_outstanding:
      return "least-outstanding";
    case Rule::static_threshold:
      return "static-threshold";
    case Rule::queue_kv:
      return "queue-kv";
    case Rule::cache_aware:
      return "cache-aware";
    case Rule::prefix_hash:
      return "prefix-hash";
  }
  return "";
}

const char* to_text(Capability capability) {
  switch (capability) {
    case Capability::tools:
      return "tools";
    case Capability::vision:
      return "vision";
    case Capability::audio:
      return "audio";
    case Capability::structured_output:
      return "structured_output";
  }
  return "";
}

const char* to_text(NodeEndpoint endpoint) {
  switch (endpoint) {
    case NodeEndpoint::chat_completions:
      return "chat_completions";
    case NodeEndpoint::completions:
      return "completions";
    case NodeEndpoint::embeddings:
      return "embeddings";
    case NodeEndpoint::responses:
      return "responses";
    case NodeEndpoint::messages:
      return "messages";
    case NodeEndpoint::messages_count_tokens:
      return "messages_count_tokens";
    case NodeEndpoint::rerank:
      return "rerank";
    case NodeEndpoint::audio_transcriptions:
      return "audio_transcriptions";
    case NodeEndpoint::audio_translations:
      return "audio_translations";
    case NodeEndpoint::audio_speech:
      return "audio_speech";
    case NodeEndpoint::images_generations:
      return "images_generations";
    case NodeEndpoint::images_edits:
      return "images_edits";
    case NodeEndpoint::images_variations:
      return "images_variations";
  }
  return "";
}

const char* to_text(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return "debug";
    case LogLevel::info:
      return "info";
    case LogLevel::warning:
      return "warning";
    case LogLevel::error:
      return "error";
  }
  return "info";
}

std::span<const Mode> all_of(Mode) {
  static constexpr std::array kAll = {Mode::automatic, Mode::off};
  return kAll;
}

std::span<const Place> all_of(Place) {
  static constexpr std::array kAll = {Place::local, Place::cloud};
  return kAll;
}

std::span<const DataClass> all_of(DataClass) {
  static constexpr std::array kAll = {DataClass::open, DataClass::internal, DataClass::home_only};
  return kAll;
}

std::span<const HalfClose> all_of(HalfClose) {
  static constexpr std::array kAll = {HalfClose::leave, HalfClose::keep};
  return kAll;
}

std::span<const HostLook> all_of(HostLook) {
  static constexpr std::array kAll = {HostLook::automatic, HostLook::on, HostLook::off};
  return kAll;
}

std::span<const TunnelBackend> all_of(TunnelBackend) {
  static constexpr std::array kAll = {TunnelBackend::automatic, TunnelBackend::kernel,
                                      TunnelBackend::userspace};
  return kAll;
}

std::span<const Traffic> all_of(Traffic) {
  static constexpr std::array kAll = {Traffic::interactive, Traffic::bulk};
  return kAll;
}

std::span<const Goal> all_of(Goal) {
  static constexpr std::array kAll = {Goal::cost, Goal::balanced, Goal::fast, Goal::green,
                                      Goal::home_first};
  return kAll;
}

std::span<const Rule> all_of(Rule) {
  static constexpr std::array kAll = {
      Rule::predict,     Rule::local_only,        Rule::cloud_only,
      Rule::round_robin, Rule::least_outstanding, Rule::static_threshold,
      Rule::queue_kv,    Rule::cache_aware,       Rule::prefix_hash};
  return kAll;
}

std::span<const Capability> all_of(Capability) {
  static constexpr std::array kAll = {Capability::tools, Capability::vision, Capability::audio,
                                      Capability::structured_output};
  return kAll;
}

std::span<const NodeEndpoint> all_of(NodeEndpoint) {
  static constexpr std::array kAll = {NodeEndpoint::chat_completions,
                                      NodeEndpoint::completions,
                                      NodeEndpoint::embeddings,
                                      NodeEndpoint::responses,
                                      NodeEndpoint::messages,
                                      NodeEndpoint::messages_count_tokens,
                                      NodeEndpoint::rerank,
                                      NodeEndpoint::audio_transcriptions,
                                      NodeEndpoint::audio_translations,
                                      NodeEndpoint::audio_speech,
                                      NodeEndpoint::images_generations,
                                      NodeEndpoint::images_edits,
                                      NodeEndpoint::images_variations};
  return kAll;
}

std::span<const LogLevel> all_of(LogLevel) {
  static constexpr std::array kAll = {LogLevel::debug, LogLevel::info, LogLevel::warning,
                                      LogLevel::error};
  return kAll;
}

}  // namespace sluice::settings
