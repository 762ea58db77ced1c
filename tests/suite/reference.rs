//! The page of the language: what it shows is of the language.

use spine::language::script::Scripts;

use crate::language::findings;

/// The blocks of code of the reference that name no other language.
fn reference_blocks() -> Vec<String> {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/language.md")).unwrap();
    page.split("```").skip(1).step_by(2).map(|block| block.trim_start_matches('\n').to_owned()).collect()
}

#[test]
fn the_examples_of_the_reference_are_of_the_language() {
    let blocks = reference_blocks();
    let of = |start: &str| blocks.iter().find(|block| block.starts_with(start)).unwrap();
    assert_eq!(findings(of("whatsapp then")), "clean: inline\n");
    let whole = of("policy NAME").replace("NAME", "name").replace("STRATEGY", "sms");
    assert_eq!(findings(&whole), "clean: name\n");
    for script in of("accepted, delivered").lines() {
        assert!(Scripts::parse(&format!("sms: {script}")).is_ok(), "{script}");
    }
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/language.md")).unwrap();
    let modifiers = ["after 30s", "between 08:00", "retry 3", "repeat 2", "valid 10m", "until accepted"];
    for modifier in modifiers {
        let cell = page.split('`').find(|cell| cell.starts_with(modifier)).unwrap().replace("ZONE", "UTC");
        assert_eq!(findings(&format!("sms {cell}")), "clean: inline\n", "{cell}");
    }
}
