#include "driver/file/normal_sql.h"

#include <gtest/gtest.h>

namespace pgqrs::driver {
namespace {

TEST(NormalSql, LeavesOutSpaceCommentsAndQuotesOfNames) {
  EXPECT_EQ(NormalSql("CREATE TABLE t (\n  a TEXT,  -- What it's for.\n  \"key\" INTEGER\n)"),
            NormalSql("CREATE TABLE t (a TEXT, key INTEGER)"));
  EXPECT_EQ(NormalSql("CAST (round (x) AS INTEGER)"), NormalSql("CAST(round(x)AS INTEGER)"));
  EXPECT_EQ(NormalSql("SELECT 1 -- one"), "SELECT1");
}

TEST(NormalSql, KeepsWhatStandsInSingleQuotes) {
  EXPECT_EQ(NormalSql("SELECT 'a  -- \"b\"'"), "SELECT'a  -- \"b\"'");
  EXPECT_EQ(NormalSql("SELECT 'it''s', 'x y'"), "SELECT'it''s','x y'");
  EXPECT_EQ(NormalSql("SELECT 'open"), "SELECT'open");
}

}  // namespace
}  // namespace pgqrs::driver
