#include "detect/findings.h"

#include <string.h>

nfl__report *nfl__findings_add(nfl__findings *findings)
{
    if (findings->count == NFL__FINDINGS_CAP) {
        findings->dropped++;
        return NULL;
    }
    nfl__report *report = &findings->ring[(findings->first + findings->count) % NFL__FINDINGS_CAP];
    findings->count++;
    memset(report, 0, sizeof *report);
    report->finding.struct_size = sizeof report->finding;
    return report;
}

const nfl__report *nfl__findings_take(nfl__findings *findings)
{
    if (!findings->count)
        return NULL;
    nfl__report *report = &findings->ring[findings->first];
    findings->first = (findings->first + 1) % NFL__FINDINGS_CAP;
    findings->count--;
    report->finding.filter = report->filter;
    report->finding.message = report->message;
    return report;
}
