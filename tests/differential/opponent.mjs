// The opponent, as a program of its own: reads cases as JSON Lines on stdin (the form of `retrial simulate`),
// writes `{"id", "decision"}` or `{"id", "error"}` per case on stdout.
//
// It calls the package's core engine: `runSimulation`, its public door, drops condition keys that its own
// data does not list for the action and takes no session policy from some principals, and the case form
// says what the request carries.
//
// `--time ROUNDS` answers the cases that many times over instead and writes how long that took; documents
// are loaded before the clock starts.
import { createInterface } from 'node:readline'
import { loadPolicy } from '@cloud-copilot/iam-policy'

const simulate = './node_modules/@cloud-copilot/iam-simulate/dist/esm/'
const { authorize } = await import(simulate + 'core_engine/CoreSimulatorEngine.js')
const { AwsRequestImpl } = await import(simulate + 'request/request.js')
const { RequestContextImpl } = await import(simulate + 'requestContext.js')
const { DiscoveryContextKeyConstraints } = await import(simulate + 'context_keys/discoveryContextKeyConstraints.js')

const decisions = {
  Allowed: 'allowed',
  ExplicitlyDenied: 'explicit_deny',
  ImplicitlyDenied: 'implicit_deny'
}

const load = (documents, name) =>
  documents?.map((document, index) => loadPolicy(document, { name: `${name}-${index}` }))

const levels = (documents, name) =>
  (documents ?? []).map((level) => ({
    orgIdentifier: level.org_identifier,
    policies: load(level.policies, `${name}-${level.org_identifier}`)
  }))

// An absent layer limits nothing; the package wants to hear that as a layer that allows everything.
const prepare = (vector) => {
  const { request } = vector
  if ((vector.session_policies?.length ?? 0) > 1) {
    throw new Error('the package takes one session policy')
  }
  const principal = request.principal === 'anonymous' ? { type: 'Anonymous' } : request.principal
  return {
    request: new AwsRequestImpl(
      principal,
      { resource: request.resource.arn, accountId: request.resource.account },
      request.action,
      new RequestContextImpl(request.context ?? {}),
      request.wildcard_only_action === true
    ),
    sessionPolicy: load(vector.session_policies, 'session')?.[0],
    identityPolicies: load(vector.identity_policies ?? [], 'identity'),
    serviceControlPolicies: levels(vector.scps, 'scp'),
    resourceControlPolicies: levels(vector.rcps, 'rcp'),
    resourcePolicy: vector.resource_policy ? loadPolicy(vector.resource_policy, { name: 'resource' }) : undefined,
    permissionBoundaries: load(vector.permission_boundary, 'boundary'),
    vpcEndpointPolicies: load(vector.vpc_endpoint_policies, 'endpoint'),
    simulationParameters: {
      simulationMode: 'Strict',
      discoveryContextKeyConstraints: new DiscoveryContextKeyConstraints([])
    },
    serviceSettings: { s3: { blockPublicAccess: undefined } }
  }
}

const answer = (vector) => {
  try {
    const { result } = authorize(prepare(vector))
    return { id: vector.id, decision: decisions[result] ?? result }
  } catch (error) {
    return { id: vector.id, error: String(error) }
  }
}

const lines = createInterface({ input: process.stdin, crlfDelay: Infinity })
const time = process.argv.indexOf('--time')
if (time === -1) {
  for await (const line of lines) {
    process.stdout.write(JSON.stringify(answer(JSON.parse(line))) + '\n')
  }
} else {
  const prepared = []
  for await (const line of lines) {
    prepared.push(prepare(JSON.parse(line)))
  }
  const run = (rounds) => {
    let allowed = 0
    for (let round = 0; round < rounds; round++) {
      for (const request of prepared) {
        allowed += authorize(request).result === 'Allowed' ? 1 : 0
      }
    }
    return allowed
  }
  run(2)
  const rounds = Number(process.argv[time + 1])
  const start = process.hrtime.bigint()
  const allowed = run(rounds)
  const seconds = Number(process.hrtime.bigint() - start) / 1e9
  process.stdout.write(JSON.stringify({ decisions: rounds * prepared.length, allowed, seconds }) + '\n')
}
