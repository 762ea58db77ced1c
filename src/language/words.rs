//! Words for people: what was probably meant, and how the user's own text is quoted.

pub(crate) use crate::model::quoted;

/// What begins a header.
pub(crate) const HEADERS: [&str; 5] = ["category", "expires", "quiet", "limit", "vars"];

/// Words at which what stands before them in a policy is over: none is a name.
pub(crate) const ENDS: [&str; 12] = [
    "then",
    "otherwise",
    "after",
    "unless",
    "until",
    "if",
    "via",
    "retry",
    "repeat",
    "between",
    "valid",
    "policy",
];

/// The most words of a list: of more, nobody reads the last.
const LISTED_MAX: usize = 5;

/// `` `a`, `b` and `c` ``; of more than five the first four, and how many others there are.
pub(crate) fn listed<'a>(words: impl IntoIterator<Item = &'a str>, last: &str) -> String {
    let words: Vec<String> = words.into_iter().map(|w| format!("`{w}`")).collect();
    if let Some(others) = words.get(LISTED_MAX - 1..).filter(|_| words.len() > LISTED_MAX) {
        let first = words.iter().take(LISTED_MAX - 1).map(String::as_str).collect::<Vec<_>>();
        return format!("{} {last} {} others", first.join(", "), others.len());
    }
    match words.split_last() {
        None => String::new(),
        Some((only, [])) => only.clone(),
        Some((end, rest)) => format!("{} {last} {end}", rest.join(", ")),
    }
}

/// The known word that `word` was probably meant to be: equal but for case, or within a small
/// distance for its length.
pub(crate) fn near<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = word.chars().count();
    if length == 0 || length > super::limits::NAME_CHARS_MAX {
        return None;
    }
    let word = word.to_lowercase();
    let allowed = match length {
        0..=3 => 1,
        4..=7 => 2,
        _ => 3,
    };
    // Words whose lengths differ by more than that are further from each other.
    let may_be = |known: &&str| known.chars().count().abs_diff(word.chars().count()) <= allowed;
    known
        .into_iter()
        .filter(may_be)
        .map(|k| (strsim::osa_distance(&word, &k.to_lowercase()), k))
        .filter(|(distance, k)| *distance <= allowed && *distance < k.chars().count().min(length))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, k)| k)
}

/// The known word of which `word` is the plural, or the other way round: `countries` for `country`.
pub(crate) fn in_other_number<'a>(word: &str, mut known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let is_plural = |one: &str, many: &str| {
        many.strip_suffix('s') == Some(one)
            || many.strip_suffix("es") == Some(one)
            || many.strip_suffix("ies").is_some_and(|stem| one.strip_suffix('y') == Some(stem))
    };
    known.find(|known| is_plural(word, known) || is_plural(known, word))
}

/// What everyday words stand for in a policy.
pub(crate) fn synonym(word: &str) -> Option<&'static str> {
    Some(match word.to_lowercase().as_str() {
        "text" | "txt" | "texts" | "handy" | "kurznachricht" => "sms",
        "phone" | "call" | "telephone" | "ring" | "calls" | "anruf" | "anrufen" | "telefon" => "voice",
        "mail" | "e-mail" | "mails" => "email",
        "wa" => "whatsapp",
        "notification" | "app" | "apn" | "fcm" | "benachrichtigung" => "push",
        "hook" | "http" | "url" => "webhook",
        "delay" | "pause" | "sleep" | "hold" | "warte" | "warten" => "wait",
        "include" | "import" | "run" => "use",
        _ => return None,
    })
}

/// A text in letters without marks: `für` as `fuer`, `café` as `cafe`.
pub(crate) fn plain_letters(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let plain = match c {
            'ä' | 'æ' => "ae",
            'ö' | 'ø' | 'œ' => "oe",
            'ü' => "ue",
            'Ä' | 'Æ' => "Ae",
            'Ö' | 'Ø' | 'Œ' => "Oe",
            'Ü' => "Ue",
            'ß' => "ss",
            'à' | 'á' | 'â' | 'ã' | 'å' | 'ą' => "a",
            'ç' | 'ć' | 'č' => "c",
            'è' | 'é' | 'ê' | 'ë' | 'ę' | 'ě' => "e",
            'ì' | 'í' | 'î' | 'ï' => "i",
            'ł' => "l",
            'ñ' | 'ń' | 'ň' => "n",
            'ò' | 'ó' | 'ô' | 'õ' | 'ő' => "o",
            'ř' => "r",
            'ś' | 'š' => "s",
            'ù' | 'ú' | 'û' | 'ű' | 'ů' => "u",
            'ý' | 'ÿ' => "y",
            'ź' | 'ż' | 'ž' => "z",
            _ => {
                out.push(c);
                continue;
            }
        };
        out.push_str(plain);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_word_is_near() {
        let channels = ["sms", "whatsapp", "email", "push", "voice"];
        assert_eq!(near("watsapp", channels), Some("whatsapp"));
        assert_eq!(near("SMS", channels), Some("sms"));
        assert_eq!(near("mss", channels), Some("sms"));
        assert_eq!(near("nonexistent", channels), None);
        assert_eq!(near("x", channels), None);
        assert_eq!(near(&"x".repeat(100_000), channels), None);
    }

    #[test]
    fn a_list_is_short() {
        assert_eq!(listed(["a", "b", "c", "d", "e"], "or"), "`a`, `b`, `c`, `d` or `e`");
        assert_eq!(listed(["a", "b", "c", "d", "e", "f"], "or"), "`a`, `b`, `c`, `d` or 2 others");
        assert_eq!(listed(["a"], "or"), "`a`");
        assert_eq!(listed([], "or"), "");
    }

    #[test]
    fn a_plural_is_known_by_its_singular() {
        let known = ["countries", "box", "amount"];
        assert_eq!(in_other_number("country", known.into_iter()), Some("countries"));
        assert_eq!(in_other_number("boxes", known.into_iter()), Some("box"));
        assert_eq!(in_other_number("amounts", known.into_iter()), Some("amount"));
        assert_eq!(in_other_number("amounted", known.into_iter()), None);
    }

    #[test]
    fn letters_with_marks_stay_readable() {
        assert_eq!(plain_letters("nachtdienst_für"), "nachtdienst_fuer");
        assert_eq!(plain_letters("Größe"), "Groesse");
        assert_eq!(plain_letters("café_niño"), "cafe_nino");
        assert_eq!(plain_letters("日本"), "日本");
    }
}
