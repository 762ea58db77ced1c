use serde_json::{Value as Json, json};

use super::*;

fn body(channel: Channel, locale: Option<&str>, text: &str) -> Body {
    Body {
        channel,
        locale: locale.map(str::to_owned),
        subject: None,
        body: text.to_owned(),
        html: None,
        pointer: "/bodies/0".to_owned(),
    }
}

fn sms(text: &str) -> Result<Template, Vec<Fault>> {
    Template::compile(&[body(Channel::Sms, None, text)])
}

fn object(value: &Json) -> Map<String, Json> {
    value.as_object().cloned().unwrap()
}

fn rendered(text: &str, vars: &Json, contact: &Json) -> Result<String, RenderError> {
    let contact = contact.as_object();
    sms(text).unwrap().render(Channel::Sms, None, &object(vars), contact).map(|rendered| rendered.body)
}

fn words(names: BTreeSet<String>) -> String {
    names.into_iter().collect::<Vec<_>>().join(" ")
}

#[test]
fn vars_stand_at_the_top_and_the_contact_beside_them() {
    let vars = json!({"time": "5:00 PM", "items": ["a", "b"], "n": 3, "contact": "hidden", "gone": null});
    let contact = json!({"name": "Ana", "locale": null, "attributes": {"vip": true}});
    for (text, expected) in [
        ("At {{ time }}.", "At 5:00 PM."),
        ("Hello {{ contact.name }}!", "Hello Ana!"),
        ("{% for i in items %}{{ i | upper }}{% if not loop.last %}, {% endif %}{% endfor %}", "A, B"),
        ("{{ n * 2 }}", "6"),
        ("{{ place | default('here') }}", "here"),
        ("{{ gone | default('none given') }}", "none given"),
        ("{{ contact.nickname | default('you') }}", "you"),
        ("Dear {{ contact.nickname }}.", "Dear ."),
        ("{% if contact.nickname %}yes{% else %}no{% endif %}", "no"),
        ("{{ contact.locale | default('?') }}", "?"),
        ("{% if contact.attributes.vip %}VIP{% endif %}", "VIP"),
        ("{% if place is defined %}{{ place }}{% else %}-{% endif %}", "-"),
    ] {
        assert_eq!(rendered(text, &vars, &contact).as_deref(), Ok(expected), "{text}");
    }
    assert_eq!(rendered("Dear {{ contact.name }}.", &vars, &Json::Null).as_deref(), Ok("Dear ."));
}

#[test]
fn a_value_is_text_and_is_never_evaluated() {
    let vars = json!({"x": "{{ 1 + 1 }} {% raw %} <b>&"});
    assert_eq!(rendered("{{ x }}", &vars, &json!({})).as_deref(), Ok("{{ 1 + 1 }} {% raw %} <b>&"));
}

#[test]
fn the_html_of_an_e_mail_is_escaped_and_its_subject_is_one_line() {
    let email = Body {
        subject: Some("Hi {{ x }}".to_owned()),
        html: Some("<p>{{ x }}</p>".to_owned()),
        ..body(Channel::Email, None, "{{ x }}")
    };
    let template = Template::compile(&[email]).unwrap();
    let vars = object(&json!({"x": "<b>\r\nBcc: all"}));
    let rendered = template.render(Channel::Email, None, &vars, None).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(rendered.subject.as_deref(), Some("Hi <b> Bcc: all"));
    assert_eq!(rendered.body, "<b>\r\nBcc: all");
    assert_eq!(rendered.html.as_deref(), Some("<p>&lt;b&gt;\r\nBcc: all</p>"));
}

#[test]
fn a_locale_falls_back_to_its_language_and_then_to_the_body_without_one() {
    let template = Template::compile(&[
        body(Channel::Sms, None, "none"),
        body(Channel::Sms, Some("de"), "de"),
        body(Channel::Sms, Some("de-at"), "de-AT"),
        body(Channel::Push, Some("en"), "en"),
    ])
    .unwrap();
    for (locale, expected) in [
        (Some("de-AT"), "de-AT"),
        (Some("de_AT"), "de-AT"),
        (Some("de-CH"), "de"),
        (Some("de-Latn-CH-1996"), "de"),
        (Some("DE"), "de"),
        (Some("fr"), "none"),
        (None, "none"),
    ] {
        let found = template.render(Channel::Sms, locale, &Map::new(), None).map(|r| (r.body, r.locale));
        let locale_used = (expected != "none").then(|| expected.to_owned());
        assert!(found == Ok((expected.to_owned(), locale_used)), "{locale:?}");
    }
    assert!(template.has_body(Channel::Push, Some("en-GB")));
    assert!(!template.has_body(Channel::Push, Some("de")));
    assert!(template.render(Channel::Push, None, &Map::new(), None).err() == Some(RenderError::NoBody));
}

#[test]
fn what_a_send_must_give_is_what_is_used_without_a_default() {
    for (text, uses, needs) in [
        ("{{ time }}", "time", "time"),
        ("{{ time | default('soon') }}", "time", ""),
        ("{{ time|d('soon') }} {{ time }}", "time", "time"),
        ("{{ order.id | default(0) }} {{ lines[0].text | default('') }}", "lines order", ""),
        ("{% if time is defined %}{{ time }}{% endif %}", "time", ""),
        ("{% if time is not defined %}-{% else %}{{ time }}{% endif %}", "time", ""),
        ("{% for i in items %}{{ i.time }}{% endfor %}", "items", "items"),
        ("{{ contact.name }} {{ 'time' }} {# {{ note }} #}{% raw %}{{ raw }}{% endraw %}", "", ""),
        ("{% set a = b %}{{ a ~ c | default(d) }}", "b c d", "b d"),
        ("{{ x | join(d=y) }}", "x y", "x y"),
        ("{{- trimmed -}}", "trimmed", "trimmed"),
        ("{% for i in range(n) %}{{ i }}{% endfor %}", "n", "n"),
    ] {
        let template = sms(text).unwrap();
        assert_eq!(words(template.vars()), uses, "{text}");
        assert_eq!(words(template.needs(&[Channel::Sms])), needs, "{text}");
        assert_eq!(words(template.needs(&[Channel::Email])), "", "{text}");
    }
}

#[test]
fn all_faults_of_all_bodies_come_at_once_with_their_pointers() {
    let mut second = Body {
        html: Some("{{".to_owned()),
        ..body(Channel::Sms, None, "{{ a | shout }}\n{{ b is odder }} {{ go() }}")
    };
    second.pointer = "/bodies/1".to_owned();
    let faults = Template::compile(&[body(Channel::Sms, None, "\n{% if x %}"), second]).unwrap_err();
    let told: Vec<String> = faults.iter().map(|f| format!("{} {}", f.pointer, f.message)).collect();
    let expected = [
        "/bodies/0/body line 2: ",
        "/bodies/1 is a second body",
        "/bodies/1/html goes with the channel `email` only",
        "/bodies/1/body line 1: unknown filter `shout`",
        "/bodies/1/body line 2: unknown test `odder`",
        "/bodies/1/body line 2: unknown function `go`",
        "/bodies/1/html line 1: ",
    ];
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.starts_with(expected), "{told:?} is not {expected:?}");
    }
    assert_eq!(told.len(), expected.len(), "{told:#?}");
}

#[test]
fn a_template_that_does_or_gives_too_much_is_stopped() {
    let vars = json!({"long": "x".repeat(300 * 1024)});
    for text in [
        "{% for i in range(10000) %}{% for j in range(10000) %}.{% endfor %}{% endfor %}",
        "{{ 'x' * 100000000 }}",
        "{{ long }}",
    ] {
        let error = rendered(text, &vars, &json!({}));
        assert_eq!(error, Err(RenderError::TooMuch { part: "body" }), "{text}");
    }
    let long = "x".repeat(SOURCE_BYTES_MAX + 1);
    assert_eq!(sms(&long).unwrap_err().len(), 1);
}

#[test]
fn what_goes_wrong_while_rendering_is_told_without_the_value() {
    let vars = json!({"secret": "hunter2"});
    let error = rendered("\n{{ missing }}", &vars, &json!({})).unwrap_err();
    assert_eq!(error, RenderError::Missing { part: "body", line: 2 });
    let error = rendered("{{ secret * secret }}", &vars, &json!({})).unwrap_err();
    assert!(!error.to_string().contains("hunter2"), "{error}");
}
