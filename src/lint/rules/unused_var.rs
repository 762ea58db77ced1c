use std::collections::BTreeSet;

use crate::language::condition::Operand;
use crate::lint::Context;
use crate::lint::analysis::{Analysis, header_of, names, word_in};

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// A var is declared that neither a condition nor a template uses.
    ///
    /// Every message must bring the vars that are declared, but those that are `optional`. One that nobody reads
    /// is asked for in vain, and may be a name that was misspelt here. Looked at are the templates of the catalog
    /// whose `policy` this one is; where there are none, all. Nothing is said where the catalog does not tell
    /// which vars a template uses, for templates use vars too.
    ///
    /// Leave it out, or mend its name.
    UnusedVar, "unused-var", Warning, check;
    for &["template code: vars code"]; true => "policy p { vars { code: string, amount: number } sms }",
    for &["template a: vars code policy p", "template b: vars amount"]; true =>
        "policy p { vars { code: string, amount: number } sms }",
    for &["template code: vars code"]; false =>
        "policy p { vars { code: string, amount: number } sms then voice after 5m if vars.amount > 5 }",
    for &["template code"]; false => "policy p { vars { code: string } sms }",
    false => "policy p { vars { code: string } sms }",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    let (Some(declared), Some(templates)) = (&context.policy.headers.vars, context.known.templates()) else {
        return;
    };
    let is_own = |policy: &Option<String>| policy.as_ref() == Some(&context.policy.name);
    let has_own = templates.iter().any(|template| is_own(&template.policy));
    let mut used: BTreeSet<String> = BTreeSet::new();
    for template in templates.iter().filter(|template| !has_own || is_own(&template.policy)) {
        match &template.vars {
            Some(vars) => used.extend(vars.iter().cloned()),
            None => return,
        }
    }
    let guards = context.analysis.places().iter().flat_map(Analysis::guards).map(|(condition, _)| condition);
    let quiet = context.policy.headers.quiet.as_ref().and_then(|quiet| quiet.unless.as_ref());
    for condition in guards.chain(quiet) {
        names(&condition.expr, &mut |operand, _| {
            if let Operand::Var(name) = operand {
                used.insert(name.clone());
            }
        });
    }
    let header = header_of(context, "vars");
    for name in declared.keys().filter(|name| !used.contains(*name)) {
        let at = word_in(context.source, &header, name);
        // One that came along with a `use` stands elsewhere.
        if at == header {
            continue;
        }
        let message = format!("no condition and no template uses the var `{name}`");
        found(Finding::new(at, message, "leave it out, or mend its name"));
    }
}
