//! The command line, whole sessions at a time.

#[test]
fn sessions_print_what_they_say() {
    trycmd::TestCases::new().case("tests/cases/cli/*.md");
}
