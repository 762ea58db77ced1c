//! Checkstyle's XML, which editors and review bots read.

use crate::language::Severity;

use super::xml::escaped;
use super::{Format, Found, Place, sentence};

pub(super) const FORMAT: Format = Format {
    name: "checkstyle",
    help: "Checkstyle's XML, for editors, Jenkins and review bots",
    is_success_once_written: false,
    write,
};

fn write(found: &Found<'_>) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<checkstyle version=\"4.3\">\n");
    for file in found.files {
        out.push_str(&format!("  <file name=\"{}\">\n", escaped(&found.root.path_of(&file.path))));
        for finding in &file.findings {
            let place = Place::of(&file.source, &finding.at);
            let severity = match finding.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
                Severity::Note => "info",
            };
            out.push_str(&format!(
                "    <error line=\"{}\" column=\"{}\" severity=\"{severity}\" message=\"{}\" source=\"spine.{}\"/>\n",
                place.line,
                place.column,
                escaped(&sentence(finding)),
                escaped(finding.rule)
            ));
        }
        out.push_str("  </file>\n");
    }
    out.push_str("</checkstyle>\n");
    out
}
