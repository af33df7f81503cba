//! What a call of the locked function yields once it is awaited.

use proc_macro2::Span;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned as _;
use syn::visit_mut::{VisitMut, visit_type_mut};
use syn::{
    GenericArgument, Path, PathArguments, PathSegment, ReturnType, Token, Type, TypeParamBound,
};

/// The type of the awaited result.
pub(crate) struct Output {
    /// The type, with `_` for every `impl Trait`, which cannot be written inside a body.
    pub(crate) ty: Type,
    /// Where it stands, or the body where nothing does.
    pub(crate) span: Span,
}

impl Output {
    fn new(ty: &Type) -> Self {
        let span = ty.span();
        let mut ty = ty.clone();
        EraseImplTrait.visit_type_mut(&mut ty);
        Self { ty, span }
    }

    fn unit(span: Span) -> Self {
        let span = Span::mixed_site().located_at(span);
        let unit = syn::TypeTuple {
            attrs: Vec::new(),
            paren_token: syn::token::Paren(span),
            elems: Punctuated::new(),
        };
        Self {
            ty: Type::Tuple(unit),
            span,
        }
    }

    /// What an `async fn` with this return type yields.
    pub(super) fn of(output: &ReturnType, body: Span) -> Self {
        match output {
            ReturnType::Default => Self::unit(body),
            ReturnType::Type(_, ty) => Self::new(ty),
        }
    }

    /// What the future yields that a plain `fn` with this return type returns, and the type when
    /// it is a boxed one.
    pub(super) fn of_future(output: &ReturnType) -> Option<(Self, Option<Type>)> {
        let ReturnType::Type(_, ty) = output else {
            return None;
        };
        match bare(ty) {
            Type::ImplTrait(future) => Some((of_bounds(&future.bounds, ty)?, None)),
            Type::Path(path) => Some((of_box(&path.path, ty)?, Some((**ty).clone()))),
            _ => None,
        }
    }

    /// Whether nothing is known of the type.
    pub(crate) fn is_inferred(&self) -> bool {
        matches!(self.ty, Type::Infer(_))
    }

    /// Whether the type may be a `Result` or have one in it, by whatever name.
    pub(crate) fn may_be_a_result(&self) -> bool {
        matches!(bare(&self.ty), Type::Path(_) | Type::Macro(_))
    }
}

/// The type without the parentheses and invisible groups around it.
fn bare(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => bare(&group.elem),
        Type::Paren(paren) => bare(&paren.elem),
        other => other,
    }
}

/// `Future<Output = T>` among the bounds of `impl` or `dyn`.
fn of_bounds(bounds: &Punctuated<TypeParamBound, Token![+]>, whole: &Type) -> Option<Output> {
    let future = bounds.iter().find_map(|bound| match bound {
        TypeParamBound::Trait(bound) => bound
            .path
            .segments
            .last()
            .filter(|last| last.ident == "Future"),
        _ => None,
    })?;
    let output = arguments(future).find_map(|argument| match argument {
        GenericArgument::AssocType(assoc) if assoc.ident == "Output" => Some(&assoc.ty),
        _ => None,
    });
    Some(output.map_or_else(|| inferred(whole), Output::new))
}

/// `Pin<Box<dyn Future<Output = T>>>`, and the aliases of it in `futures`.
fn of_box(path: &Path, whole: &Type) -> Option<Output> {
    let last = path.segments.last()?;
    if last.ident == "BoxFuture" || last.ident == "LocalBoxFuture" {
        return types(last).last().map(Output::new);
    }
    if last.ident != "Pin" {
        return None;
    }
    let Type::Path(pinned) = bare(types(last).next()?) else {
        return None;
    };
    let boxed = pinned
        .path
        .segments
        .last()
        .filter(|last| last.ident == "Box")?;
    match bare(types(boxed).next()?) {
        Type::TraitObject(object) => of_bounds(&object.bounds, whole),
        _ => None,
    }
}

fn inferred(whole: &Type) -> Output {
    let span = whole.span();
    Output {
        ty: syn::parse_quote_spanned!(span=> _),
        span,
    }
}

fn arguments(segment: &PathSegment) -> impl Iterator<Item = &GenericArgument> {
    match &segment.arguments {
        PathArguments::AngleBracketed(arguments) => Some(arguments.args.iter()),
        _ => None,
    }
    .into_iter()
    .flatten()
}

fn types(segment: &PathSegment) -> impl Iterator<Item = &Type> {
    arguments(segment).filter_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })
}

/// Puts `_` where `impl Trait` stands.
struct EraseImplTrait;

impl VisitMut for EraseImplTrait {
    fn visit_type_mut(&mut self, ty: &mut Type) {
        if let Type::ImplTrait(opaque) = ty {
            let span = opaque.impl_token.span;
            *ty = syn::parse_quote_spanned!(span=> _);
        } else {
            visit_type_mut(self, ty);
        }
    }
}
