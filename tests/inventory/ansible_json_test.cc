#include "inventory/ansible_json.h"

#include <gtest/gtest.h>

#include "tests/inventory/support.h"

namespace muster::inventory {
namespace {

TEST(AnsibleJson, HasTheLayoutOfAnsibleInventoryList) {
  const Inventory inventory = from_text(R"(
web:
  hosts:
    b: {n: 1, f: 1.5, t: 'x', z: ~, y: true, l: [1, {k: 2}], u: !unsafe '{{ v }}', groups: hidden}
    a:
empty:
)");
  EXPECT_EQ(ansible_json(inventory), R"({
    "_meta": {
        "hostvars": {
            "b": {
                "f": 1.5,
                "l": [
                    1,
                    {
                        "k": 2
                    }
                ],
                "n": 1,
                "t": "x",
                "u": {
                    "__ansible_unsafe": "{{ v }}"
                },
                "y": true,
                "z": null
            }
        }
    },
    "all": {
        "children": [
            "ungrouped",
            "web",
            "empty"
        ]
    },
    "web": {
        "hosts": [
            "b",
            "a"
        ]
    }
})");
}

}  // namespace
}  // namespace muster::inventory
