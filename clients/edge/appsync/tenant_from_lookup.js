/* Pipeline function (data source: the claims table): the tenant is looked up by the client id of the verified token,
   for pools without a trigger or where a change must take effect at once. Missing, paused and deleted are refused.
   APPSYNC_JS has no hash function: the digest of the document is checked by the trigger and by the portal only. */
import { util } from '@aws-appsync/utils';

const CLAIM = __CLAIM__;
const REQUIRED_SCOPE = __REQUIRED_SCOPE__;

export function request(ctx) {
  const claims = ctx.identity ? ctx.identity.claims : null;
  if (!claims || !claims.client_id) {
    util.unauthorized();
  }
  const scopes = claims.scope ? claims.scope.split(' ') : [];
  if (REQUIRED_SCOPE && !scopes.includes(REQUIRED_SCOPE)) {
    util.unauthorized();
  }
  return {
    operation: 'GetItem',
    key: util.dynamodb.toMapValues({ client_id: claims.client_id }),
    consistentRead: true,
  };
}

export function response(ctx) {
  if (ctx.error) {
    util.error(ctx.error.message, ctx.error.type);
  }
  const document = ctx.result;
  if (!document || document.state !== 'active' || !document.claims) {
    util.unauthorized();
  }
  const tenant = JSON.parse(document.claims)[CLAIM];
  if (!tenant || typeof tenant !== 'string') {
    util.unauthorized();
  }
  ctx.stash.tenant = tenant;
  return ctx.prev.result;
}
