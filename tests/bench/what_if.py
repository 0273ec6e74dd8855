"""Runs `retrial what-if` over the Parquet of a corpus with changes of different reach, then `retrial rightsize` for
all principals, and prints what each costs against the reading alone.

CPU is user + system time of the process and its threads, the least of three runs; memory is the peak of the
resident set, the most of them; `rightsize` is run once. "Reading" is a change that touches nobody: every row is read, every call is
joined to its session, and none is asked for. The snapshot is the corpus's in an organization of its own, so
that a change of an SCP is one statement more, and not a layer that was not collected before.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys

ROUNDS = 3
# The corpus is of a week.
MIN_WINDOW = "5"


def run(command):
    """CPU seconds, peak memory in MB and standard output of one command."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    printed = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status) not in (0, 3):
        sys.exit(f"{command[0]} failed")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, printed


def pages(iam):
    for path in sorted(iam.rglob("authorization-details*.json")):
        yield json.loads(path.read_text())


def entries(iam, name):
    return [entry for page in pages(iam) for entry in page.get(name, [])]


def changes(iam):
    """Each change by what it is, as the file that holds it and its content."""
    roles, policies = entries(iam, "RoleDetailList"), entries(iam, "Policies")
    details = "authorization-details.json"
    nobody = {"RoleDetailList": {roles[0]["Arn"]: {}}}
    role = {"RoleDetailList": {roles[0]["Arn"]: {"RolePolicyList": [], "AttachedManagedPolicies": []}}}
    yield "reading", details, nobody
    yield "a role loses its policies", details, role
    if policies:
        version = {"VersionId": "v9", "IsDefaultVersion": True, "Document": {"Version": "2012-10-17", "Statement": []}}
        attached = {}
        for entry in roles + entries(iam, "UserDetailList") + entries(iam, "GroupDetailList"):
            for policy in entry.get("AttachedManagedPolicies", []):
                attached[policy["PolicyArn"]] = attached.get(policy["PolicyArn"], 0) + 1
        most = max((policy["Arn"] for policy in policies), key=lambda arn: (attached.get(arn, 0), arn))
        yield "a managed policy is emptied", details, {"Policies": {most: {"PolicyVersionList": [version]}}}
    for title, action in [("an SCP denies one action", "sagemaker:CreateTrainingJob"), ("an SCP denies everything", "*")]:
        statement = {"Sid": "Bench", "Effect": "Deny", "Action": action, "Resource": "*"}
        yield title, "organization.json", {"Policies": [scp("p-benchmark1", statement, ["r-ab12"])]}


def scp(policy_id, statement, targets):
    return {
        "PolicySummary": {"Id": policy_id, "Type": "SERVICE_CONTROL_POLICY"},
        "Content": json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        "Targets": [{"TargetId": target} for target in targets],
    }


def with_organization(iam, to):
    """The snapshot, its accounts in an organization whose SCPs allow everything."""
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(iam, to)
    accounts = sorted({role["Arn"].split(":")[4] for role in entries(iam, "RoleDetailList")})
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    organization = {
        "Organization": {"Id": "o-exampleorg1", "MasterAccountId": "999900001111"},
        "Roots": [{"Id": "r-ab12"}],
        "Accounts": [{"Id": account, "ParentId": "r-ab12"} for account in accounts],
        "Policies": [scp("p-FullAWSAccess", everything, ["r-ab12", *accounts])],
    }
    (to / "organization.json").write_text(json.dumps(organization))


def main():
    program, corpus, work = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    iam, out, change = work / "what-if-iam", work / "what-if-out", work / "what-if-change"
    with_organization(corpus / "iam", iam)
    shutil.rmtree(out, ignore_errors=True)
    run([program, "analyze", str(corpus), "--iam", str(iam), "--out", str(out), "--quiet"])
    replay = min(run([program, "replay", "--out", str(out), "--iam", str(iam)])[0] for _ in range(ROUNDS))
    reading = None
    for title, name, content in changes(iam):
        shutil.rmtree(change, ignore_errors=True)
        change.mkdir(parents=True)
        (change / name).write_text(json.dumps(content))
        command = [program, "what-if", "--out", str(out), "--iam", str(iam), "--change", str(change), "--format", "json"]
        measured = [run(command) for _ in range(ROUNDS)]
        cpu, memory = min(cpu for cpu, _, _ in measured), max(memory for _, memory, _ in measured)
        report = json.loads(measured[0][2])
        if reading is None:
            reading = cpu
            print(f"{'calls':<46}{report['calls']:,}")
            print(f"{'CPU, reading':<46}{cpu:.2f} s, {memory:.0f} MB (retrial replay: {replay:.2f} s)")
        touched, rows = report["touched_calls"], report["table"]["rows"]
        print(f"{'CPU, ' + title + ' / reading':<46}{cpu / reading:.2f}, {memory:.0f} MB; {touched:,} calls asked, {rows:,} rows")
    proposals = work / "rightsize-proposals"
    shutil.rmtree(proposals, ignore_errors=True)
    command = [program, "rightsize", "--out", str(out), "--iam", str(iam), "--min-window", MIN_WINDOW, "--to", str(proposals)]
    cpu, memory, _ = run(command)
    print(f"{'CPU, rightsize for all principals / reading':<46}{cpu / reading:.2f}, {memory:.0f} MB; {written(proposals)} proposals")


def written(proposals):
    """How many principals have a certificate."""
    return f"{len(list(proposals.rglob('certificate.md'))):,}"


main()
