//! A provider whose locks end with the expression that makes it.
//!
//! Only locks in memory are looked for: another provider that is made at each call still asks the same store.

use syn::visit::{self, Visit};
use syn::{Expr, ExprAsync, ExprCall, ExprClosure, Item};

/// Its functions that make one. Others, such as `clone`, give locks that there are already.
const MAKERS: [&str; 3] = ["new", "default", "with_clock"];

/// The call in `expr` that makes locks in memory each time `expr` is evaluated.
pub(super) fn memory_made_anew(expr: &Expr) -> Option<&ExprCall> {
    let mut made = Made(None);
    made.visit_expr(expr);
    made.0
}

struct Made<'ast>(Option<&'ast ExprCall>);

impl<'ast> Visit<'ast> for Made<'ast> {
    fn visit_expr_call(&mut self, call: &'ast ExprCall) {
        if let Expr::Path(function) = &*call.func
            && let mut segments = function.path.segments.iter().rev()
            && let (Some(function), Some(ty)) = (segments.next(), segments.next())
            && ty.ident == "InMemoryLockProvider"
            && MAKERS.iter().any(|maker| function.ident == maker)
        {
            self.0.get_or_insert(call);
        }
        visit::visit_expr_call(self, call);
    }

    // What is evaluated once, or later, stands in one of these: `LOCKS.get_or_init(|| ..)`, `static LOCKS: ..`.
    fn visit_expr_closure(&mut self, _: &'ast ExprClosure) {}

    fn visit_expr_async(&mut self, _: &'ast ExprAsync) {}

    fn visit_item(&mut self, _: &'ast Item) {}
}
