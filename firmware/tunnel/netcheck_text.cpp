#include "firmware/tunnel/netcheck_text.h"

#include <fmt/format.h>

#include <algorithm>

namespace sluice::tunnel {

namespace {

using ports::JsonValue;

constexpr int kWidth = 80;
constexpr int kIndent = 18;  // "  warn  latency   "
constexpr std::string_view kArrow = "-> ";

// The character that begins at `at`: its bytes and its columns. Bad UTF-8 counts byte by byte.
struct Character {
  size_t bytes = 1;
  int columns = 1;
};

Character character_at(std::string_view text, size_t at) {
  const auto byte = [&text](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = byte(at);
  const size_t bytes = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
  if (at + bytes > text.size()) return {};
  if (bytes != 3) return {bytes, bytes == 4 ? 2 : 1};
  const uint32_t code =
      (first & 0x0fU) << 12 | (byte(at + 1) & 0x3fU) << 6 | (byte(at + 2) & 0x3fU);
  const bool wide = (code >= 0x2e80 && code <= 0xd7ff) || (code >= 0xf900 && code <= 0xfaff) ||
                    (code >= 0xff00 && code <= 0xff60) || code == 0x201c || code == 0x201d;
  return {bytes, wide ? 2 : 1};
}

// Where the piece that may not be broken ends: a word, or one wide character with the punctuation
// that may not begin a line.
size_t piece_end(std::string_view text, size_t at) {
  static constexpr std::string_view kClosing[] = {"，", "。", "；", "：", "、", "）", "”"};
  const Character first = character_at(text, at);
  size_t end = at + first.bytes;
  if (first.columns == 1) {
    while (end < text.size() && text[end] != ' ' && character_at(text, end).columns == 1) {
      end += character_at(text, end).bytes;
    }
  }
  for (bool more = true; more;) {
    more = false;
    for (const std::string_view closing : kClosing) {
      if (text.substr(end, closing.size()) != closing) continue;
      end += closing.size();
      more = true;
    }
  }
  return end;
}

std::string_view mark(Verdict verdict) {
  switch (verdict) {
    case Verdict::ok:
      return "ok";
    case Verdict::warn:
      return "warn";
    case Verdict::fail:
      return "FAIL";
    case Verdict::unknown:
      break;
  }
  return "?";
}

std::string heading(const NetcheckLine& line, Language language) {
  const bool zh = language == Language::zh;
  if (line.group == "uplink") return (zh ? "上行链路 " : "uplink ") + line.subject;
  if (line.group == "pop") return zh ? "接入点" : "points of presence";
  return zh ? "本机" : "this box";
}

const std::string& chosen(const Words& words, Language language) {
  return language == Language::zh ? words.zh : words.en;
}

// Of PoPs the one meant stands where the check's name stands elsewhere.
std::string line_text(const NetcheckLine& line, Language language) {
  const std::string& name = line.group == "pop" ? line.subject : line.name;
  std::string text = fmt::format("  {:<4}  {:<8}", mark(line.verdict), name);
  const std::string margin(kIndent, ' ');
  bool first = name.size() <= 8;
  text += first ? "  " : "\n";
  for (const std::string& part : wrapped(chosen(line.finding, language), kWidth - kIndent)) {
    text += (first ? "" : margin) + part + "\n";
    first = false;
  }
  bool arrow = true;
  const int rest = kWidth - kIndent - static_cast<int>(kArrow.size());
  for (const std::string& part : wrapped(chosen(line.advice, language), rest)) {
    text += margin + (arrow ? std::string(kArrow) : std::string(kArrow.size(), ' ')) + part + "\n";
    arrow = false;
  }
  return text;
}

std::string summary(const Netcheck& check, Language language) {
  const int fails = check.count(Verdict::fail);
  const int warnings = check.count(Verdict::warn);
  const int unknown = check.count(Verdict::unknown);
  if (language == Language::zh) {
    std::string text = fails == 0 ? "没有故障" : fmt::format("{} 项故障", fails);
    if (warnings > 0) text += fmt::format("，{} 项警告", warnings);
    if (unknown > 0) text += fmt::format("，{} 项未能检查", unknown);
    return text + "。\n";
  }
  std::string text =
      fails == 0 ? "Nothing fails" : fmt::format("{} fail{}", fails, fails > 1 ? "" : "s");
  if (warnings > 0) text += fmt::format(", {} warning{}", warnings, warnings > 1 ? "s" : "");
  if (unknown > 0) text += fmt::format(", {} could not be checked", unknown);
  return text + ".\n";
}

JsonValue words_json(const Words& words) {
  return JsonValue::object({{"en", words.en}, {"zh", words.zh}});
}

Verdict worst(const Netcheck& check) {
  for (const Verdict verdict : {Verdict::fail, Verdict::warn, Verdict::ok}) {
    if (check.count(verdict) > 0) return verdict;
  }
  return Verdict::unknown;
}

}  // namespace

int columns(std::string_view utf8) {
  int sum = 0;
  for (size_t at = 0; at < utf8.size();) {
    const Character one = character_at(utf8, at);
    sum += one.columns;
    at += one.bytes;
  }
  return sum;
}

std::vector<std::string> wrapped(std::string_view utf8, int width) {
  std::vector<std::string> lines;
  std::string line;
  int used = 0;
  bool blank = false;  // before the next piece
  for (size_t at = 0; at < utf8.size();) {
    if (utf8[at] == ' ') {
      blank = true;
      ++at;
      continue;
    }
    const size_t end = piece_end(utf8, at);
    const std::string_view piece = utf8.substr(at, end - at);
    const int wide = columns(piece);
    const bool fits = used + (blank && used > 0 ? 1 : 0) + wide <= width;
    if (!fits && used > 0) {
      lines.push_back(std::move(line));
      line.clear();
      used = 0;
    }
    if (blank && used > 0) {
      line += ' ';
      ++used;
    }
    line += piece;
    used += wide;
    blank = false;
    at = end;
  }
  if (used > 0) lines.push_back(std::move(line));
  return lines;
}

std::string netcheck_text(const Netcheck& check, Language language) {
  std::string text;
  std::string last;
  for (const NetcheckLine& line : check.lines) {
    const std::string head = heading(line, language);
    if (head != last) text += (last.empty() ? "" : "\n") + head + "\n";
    last = head;
    text += line_text(line, language);
  }
  return text + "\n" + summary(check, language);
}

ports::JsonValue netcheck_json(const Netcheck& check) {
  JsonValue lines = JsonValue::array();
  for (const NetcheckLine& line : check.lines) {
    lines.push(JsonValue::object({{"group", line.group},
                                  {"subject", line.subject},
                                  {"name", line.name},
                                  {"verdict", to_text(line.verdict)},
                                  {"finding", words_json(line.finding)},
                                  {"advice", words_json(line.advice)},
                                  {"figures", line.figures}}));
  }
  return JsonValue::object({{"verdict", to_text(worst(check))},
                            {"ok", check.count(Verdict::ok)},
                            {"warn", check.count(Verdict::warn)},
                            {"fail", check.count(Verdict::fail)},
                            {"unknown", check.count(Verdict::unknown)},
                            {"checks", lines}});
}

}  // namespace sluice::tunnel
