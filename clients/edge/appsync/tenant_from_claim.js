/* Pipeline function (data source of type NONE): the tenant is what the trigger put into the verified token.
   AppSync does not check scopes, so this does. A token without the claim (Lite plan, no trigger) is refused. */
import { util } from '@aws-appsync/utils';

const CLAIM = __CLAIM__;
const REQUIRED_SCOPE = __REQUIRED_SCOPE__;

export function request(ctx) {
  const claims = ctx.identity ? ctx.identity.claims : null;
  if (!claims) {
    util.unauthorized();
  }
  const scopes = claims.scope ? claims.scope.split(' ') : [];
  if (REQUIRED_SCOPE && !scopes.includes(REQUIRED_SCOPE)) {
    util.unauthorized();
  }
  const tenant = claims[CLAIM];
  if (!tenant || typeof tenant !== 'string') {
    util.unauthorized();
  }
  ctx.stash.tenant = tenant;
  return { payload: null };
}

export function response(ctx) {
  return ctx.prev.result;
}
