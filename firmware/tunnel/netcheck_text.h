// A check of the network for people (80 columns) and for programs.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "firmware/tunnel/netcheck.h"

namespace sluice::tunnel {

enum class Language { en, zh };

std::string netcheck_text(const Netcheck& check, Language language);
// {"verdict","ok","warn","fail","unknown","checks":[{"group","subject","name","verdict",
// "finding":{"en","zh"},"advice":{"en","zh"},"figures":{}}]}
ports::JsonValue netcheck_json(const Netcheck& check);

// Columns that a terminal needs for it: those of Chinese take two (Unicode, East Asian Width).
int columns(std::string_view utf8);
// Lines of at most `width` columns, broken at blanks, and between Chinese characters.
std::vector<std::string> wrapped(std::string_view utf8, int width);

}  // namespace sluice::tunnel
