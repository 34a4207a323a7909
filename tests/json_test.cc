// How results are printed for people: see bench/json.h.
#include "bench/json.h"

#include <gtest/gtest.h>

namespace ringchurn {
namespace {

TEST(PrettyJson, GivesEachMemberALineAndKeepsRowsShort) {
  const Json json = {{"name", "a \"b\""},          {"none", nullptr},
                     {"empty", Json::array()},     {"void", Json::object()},
                     {"rows", {{1, 2}, {3, 4.5}}}, {"list", {{{"a", 1}}, {{"b", true}}}}};
  EXPECT_EQ(pretty(json), R"({
  "name": "a \"b\"",
  "none": null,
  "empty": [],
  "void": {},
  "rows": [[1,2], [3,4.5]],
  "list": [
    {
      "a": 1
    },
    {
      "b": true
    }
  ]
})");
}

TEST(PrettyJson, BreaksLongTablesWithoutLosingAnElement) {
  Json json = Json::array();
  for (int i = 0; i < 200; ++i) json.push_back({i, 1000 * i});
  const std::string text = pretty({{"table", json}});
  std::size_t begin = 0;
  for (std::size_t end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    EXPECT_LE(end - begin, 100U);
  }
  EXPECT_EQ(Json::parse(text)["table"], json);
}

TEST(PrettyJson, ReplacesWhatIsNotUtf8) { EXPECT_EQ(pretty(Json("a\xff")), "\"a\xEF\xBF\xBD\""); }

}  // namespace
}  // namespace ringchurn
