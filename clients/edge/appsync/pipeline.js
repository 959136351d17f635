/* Resolver of kind PIPELINE around the functions: a tenant function first, then the query. */
export function request(ctx) {
  return {};
}

export function response(ctx) {
  return ctx.prev.result;
}
