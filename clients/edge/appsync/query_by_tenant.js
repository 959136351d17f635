/* Pipeline function (data source: your table): the rows of the caller's tenant and nobody else's.
   The tenant comes from the stash, which one of the tenant functions filled; never from an argument. */
import { util } from '@aws-appsync/utils';

const TENANT_KEY = __TENANT_KEY__;
const INDEX = __INDEX__;
const LIMIT = __LIMIT__;

export function request(ctx) {
  const tenant = ctx.stash.tenant;
  if (!tenant) {
    util.unauthorized();
  }
  const operation = {
    operation: 'Query',
    query: {
      expression: '#tenant = :tenant',
      expressionNames: { '#tenant': TENANT_KEY },
      expressionValues: util.dynamodb.toMapValues({ ':tenant': tenant }),
    },
    limit: LIMIT,
  };
  if (INDEX) {
    operation.index = INDEX;
  }
  if (ctx.args.nextToken) {
    operation.nextToken = ctx.args.nextToken;
  }
  return operation;
}

export function response(ctx) {
  if (ctx.error) {
    util.error(ctx.error.message, ctx.error.type);
  }
  return ctx.result;
}
